# A lab host as a k3OS node: its os-release, a k3s that answers, a service that runs. Its files come from elsewhere.
set -eu
rm -f /etc/os-release
printf 'ID=maculaos\nID_LIKE=alpine\nVERSION_ID=v0.22\n' > /etc/os-release
cat > /usr/local/bin/k3s << 'END'
#!/bin/sh
# LAB STAND-IN for k3s: one node, which remembers whether it is cordoned.
state=/var/lib/fake-k3s
case "$*" in
  --version) echo 'k3s version v1.34.2+k3s1 (abcdef)' ;;
  'kubectl get nodes -o json')
    cordoned=$(cat $state/cordoned 2> /dev/null || echo false)
    printf '{"items":[{"metadata":{"name":"%s","uid":"0b5e-uid","labels":{"node-role.kubernetes.io/control-plane":"true","macula.io/mode":"live"}},"spec":{"unschedulable":%s},"status":{"nodeInfo":{"kubeletVersion":"v1.34.2+k3s1"},"conditions":[{"type":"Ready","status":"True"}]}}]}' "$(hostname)" "$cordoned" ;;
  'kubectl cordon '*) mkdir -p $state && echo true > $state/cordoned && echo cordoned >> $state/calls ;;
  'kubectl uncordon '*) echo false > $state/cordoned ;;
  'kubectl label '*) echo "$*" >> $state/labels ;;
  'kubectl get '*) echo 'apiVersion: v1' ;;
  *) echo "k3s stand-in: $*" >&2; exit 1 ;;
esac
END
chmod 755 /usr/local/bin/k3s
printf '[Service]\nExecStart=/bin/sleep infinity\n' > /etc/systemd/system/k3s.service
systemctl daemon-reload
systemctl start k3s.service
