# macula-health [--json] [--wait SECONDS] [--quiet] [--boot]: is this machine doing its job?
#
# Checks come from $MACULA_HEALTH_CONF (default /etc/macula/health.conf), one a line, tab-separated:
#   KIND NAME ARGUMENTS…        KIND: system units route dns time disk listen http k3s command
# Exit 0 healthy, 1 not healthy, 21 not yet (still starting). The verdict is also left in
# /run/macula-health/result.json; a healthy system is kept from garbage collection.
# --boot: asked by the boot itself, which cannot have finished yet. So `system` does not count, and nothing is left.
export LC_ALL=C
conf=${MACULA_HEALTH_CONF:-/etc/macula/health.conf}
run=${MACULA_HEALTH_RUN:-/run/macula-health}
roots=${MACULA_HEALTH_ROOTS:-/nix/var/nix/gcroots/macula-fleet}
system=${MACULA_HEALTH_SYSTEM:-/run/current-system}
tab=$(printf '\t')
json=0 quiet=0 wait=0 boot=0

while [ $# -gt 0 ]; do
  case $1 in
    --json) json=1 ;;
    --quiet) quiet=1 ;;
    --boot) boot=1 ;;
    --wait)
      shift
      wait=${1:?--wait needs seconds}
      ;;
    *)
      echo "macula-health: unknown argument $1" >&2
      exit 64
      ;;
  esac
  shift
done

# Text as a JSON string; control characters other than tab do not survive.
quote() {
  printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g')"
}

# Each check sets `status` (ok, failed, retry) and `message`.
check_system() {
  state=$(systemctl is-system-running 2>/dev/null)
  message=$state
  case $state in
    running | degraded) status=ok ;; # which units failed is the next check's business
    initializing | starting) status=retry ;;
    *) status=failed ;;
  esac
}

check_units() { # IGNORED…: unit names, `*` allowed
  failed=
  for unit in $(systemctl list-units --failed --plain --no-legend 2>/dev/null | cut -d' ' -f1); do
    ignored=0
    for pattern in macula-health.service macula-health-boot.service "$@"; do
      # shellcheck disable=SC2254
      case $unit in $pattern) ignored=1 ;; esac
    done
    [ "$ignored" = 1 ] || failed="$failed $unit"
  done
  if [ -z "$failed" ]; then
    status=ok message='none failed'
  else
    message="failed:$failed"
  fi
}

check_route() {
  if [ -n "$(ip -4 route show default 2>/dev/null)$(ip -6 route show default 2>/dev/null)" ]; then
    status=ok message='default route present'
  else
    status=retry message='no default route'
  fi
}

check_dns() { # NAME
  if getent ahosts "$1" >/dev/null 2>&1; then
    status=ok message="$1 resolves"
  else
    status=retry message="$1 does not resolve"
  fi
}

check_time() {
  if [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = yes ]; then
    status=ok message='clock synchronised'
  else
    status=retry message='clock not synchronised'
  fi
}

check_disk() { # PATH KIB
  free=$(df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }')
  message="$1: ${free:-?} KiB free, $2 wanted"
  if [ "${free:-0}" -ge "$2" ]; then status=ok; fi
}

check_listen() { # tcp|udp PORT
  case $1 in tcp) option=-t ;; *) option=-u ;; esac
  if [ -n "$(ss -H -l -n "$option" "sport = :$2" 2>/dev/null)" ]; then
    status=ok message="$1/$2 listened on"
  else
    status=retry message="nobody listens on $1/$2"
  fi
}

check_http() { # URL
  if curl -fsS -o /dev/null --max-time 5 "$1" 2>/dev/null; then
    status=ok message="$1 answers"
  else
    status=retry message="$1 does not answer well"
  fi
}

check_k3s() { # NODE [VERSION]
  # The kubelet's own credentials may read its own node, on servers and agents alike.
  answer=$(kubectl --kubeconfig "${MACULA_KUBELET_CONFIG:-/var/lib/rancher/k3s/agent/kubelet.kubeconfig}" \
    --request-timeout=10s get node "$1" \
    -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.kubeletVersion}' 2>/dev/null)
  ready=${answer%% *} version=${answer#* }
  if [ "$ready" != True ]; then
    status=retry message="node $1 is not Ready"
  elif [ -n "${2-}" ] && [ "$version" != "$2" ]; then
    message="node $1 runs $version, not $2"
  else
    status=ok message="node $1 Ready, $version"
  fi
}

check_command() { # COMMAND (for sh -c)
  output=$(timeout 60 sh -c "$1" 2>&1)
  case $? in
    0) status=ok ;;
    21) status=retry ;;
  esac
  message=$(printf '%s' "$output" | tail -n 1)
}

examine() {
  verdict=ok results='' lines=''
  while IFS= read -r line <&3; do
    case $line in '' | '#'*) continue ;; esac
    oldifs=$IFS
    IFS=$tab
    set -f
    # shellcheck disable=SC2086
    set -- $line
    set +f
    IFS=$oldifs
    kind=$1 name=$2
    shift 2
    if [ "$boot,$kind" = 1,system ]; then continue; fi
    status=failed message=
    case $kind in
      system) check_system ;;
      units) check_units "$@" ;;
      route) check_route ;;
      dns) check_dns "$@" ;;
      time) check_time ;;
      disk) check_disk "$@" ;;
      listen) check_listen "$@" ;;
      http) check_http "$@" ;;
      k3s) check_k3s "$@" ;;
      command) check_command "$@" ;;
      *) message="unknown kind of check: $kind" ;;
    esac
    case $status,$verdict in
      failed,*) verdict=failed ;;
      retry,ok) verdict=retry ;;
    esac
    results="$results${results:+,}{\"name\":$(quote "$name"),\"type\":$(quote "$kind"),\"status\":\"$status\",\"message\":$(quote "$message")}"
    lines="$lines$(printf '%-7s %-16s %s' "$status" "$name" "$message")
"
  done 3<"$conf"
}

[ -r "$conf" ] || {
  echo "macula-health: cannot read $conf" >&2
  exit 1
}

deadline=$(($(date +%s) + wait))
while :; do
  examine
  if [ "$verdict" = ok ] || [ "$(date +%s)" -ge "$deadline" ]; then break; fi
  sleep "${MACULA_HEALTH_PAUSE:-5}"
done

current=$(readlink -f "$system" 2>/dev/null)
report="{\"schema\":1,\"verdict\":\"$verdict\",\"system\":$(quote "$current"),\"time\":$(date +%s),\"checks\":[$results]}"

if [ $boot = 0 ] && mkdir -p "$run" 2>/dev/null && [ -w "$run" ]; then
  printf '%s\n' "$report" >"$run/result.json.new" && mv "$run/result.json.new" "$run/result.json"
  # Only what runs *and* would be booted counts as a place to go back to: a system on trial does not.
  profile=$(readlink -f "${MACULA_HEALTH_PROFILE:-/nix/var/nix/profiles/system}" 2>/dev/null)
  if [ "$verdict" = ok ] && [ -n "$current" ] && [ "$current" = "$profile" ] && mkdir -p "$roots" 2>/dev/null; then
    ln -sfn "$current" "$roots/last-healthy"
  fi
fi

if [ $json = 1 ]; then
  printf '%s\n' "$report"
elif [ $quiet = 0 ]; then
  printf '%s%s\n' "$lines" "$verdict"
fi
case $verdict in
  ok) exit 0 ;;
  retry) exit 21 ;;
  *) exit 1 ;;
esac
