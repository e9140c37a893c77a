# This node is Ready and under no pressure, as its own kubelet or the server sees it.
check_k3s() {
  node=$(opt NODE)
  [ -n "$node" ] || node=$(tr '[:upper:]' '[:lower:]' < /proc/sys/kernel/hostname)
  if command -v k3s > /dev/null; then set -- k3s kubectl; elif command -v kubectl > /dev/null; then set -- kubectl; else
    verdict failed "k3s was not found"
  fi
  # An agent may read its own node and nothing else.
  agent=/var/lib/rancher/k3s/agent/kubelet.kubeconfig
  if [ ! -e /etc/rancher/k3s/k3s.yaml ] && [ -e $agent ]; then set -- "$@" --kubeconfig $agent; fi
  conditions=$(timeout "$(opt TIMEOUT)" "$@" get node "$node" \
    -o 'jsonpath={range .status.conditions[*]}{.type}={.status}{"\n"}{end}' 2>&1) || verdict failed "$(first_line "$conditions")"
  pressure=$(printf '%s\n' "$conditions" | sed -n 's/^\(.*Pressure\)=True$/\1/p' | tr '\n' ' ')
  [ -z "$pressure" ] || verdict failed "node $node: ${pressure% }"
  printf '%s\n' "$conditions" | grep -qx 'Ready=True' || verdict failed "node $node is not Ready"
  verdict ok "node $node is Ready"
}
