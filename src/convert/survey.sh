# What a conversion has to know of a running k3OS node, as `key value` lines, then END. Changes nothing.
# PATHS: patterns of what would be archived; one `size` line each.
set -u
PATH=${PATH:-}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin
LC_ALL=C
export PATH LC_ALL
K3S=/var/lib/rancher/k3s
# Open, by what the kernel says; closed, by what tools say that may not be there; or only configured.
luks() {
  cat /sys/block/dm-*/dm/uuid 2>/dev/null | grep -q '^CRYPT-' || [ -e /dev/mapper/maculaos-data ] ||
    { lsblk -n -o FSTYPE || blkid; } 2>/dev/null | grep -q crypto_LUKS || grep -q '^[^#[:space:]]' /etc/crypttab 2>/dev/null
}
program() { # NAME: its file, the first in PATH
  (
    IFS=:
    for dir in $PATH; do
      if [ -x "$dir/$1" ]; then echo "$dir/$1"; return; fi
    done
    echo false
  )
}
say() { printf '%s %s\n' "$1" "$2"; }

main() {
  say os "$(sed -n 's/^ID="\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' /etc/os-release | head -n 1)"
  if [ "$(id -u)" = 0 ]; then say root 1; else say root 0; fi
  if tar --version 2>/dev/null | grep -q GNU; then say tar gnu
  elif tar --help 2>&1 | grep -q BusyBox; then say tar busybox
  else say tar other; fi
  if [ "$(tar --help 2>/dev/null | grep -c -e --acls)" -gt 0 ]; then say acls 1; else say acls 0; fi
  # As sudo finds it: BusyBox' shell would answer with its own.
  if "$(program setsid)" --help 2>&1 | grep -q -e --wait; then say setsid-wait 1; else say setsid-wait 0; fi
  if luks; then say luks 1; else say luks 0; fi
  say home-free "$(df -Pk "${HOME:-/}" 2>/dev/null | awk 'NR == 2 { print $4 }')"
  if [ -d $K3S/server ]; then say role server; elif [ -d $K3S/agent ]; then say role agent; else say role none; fi
  if [ -d $K3S/server/db/etcd ]; then say datastore etcd
  elif [ -f $K3S/server/db/state.db ]; then say datastore sqlite
  elif [ -d $K3S/server ]; then say datastore external
  else say datastore none; fi
  say version "$(k3s --version 2>/dev/null | sed -n 's/^k3s version v\([0-9.]*\).*/\1/p' | head -n 1)"
  if [ -s $K3S/server/token ]; then say token 1; else say token 0; fi
  if [ -e /etc/ssh/ssh_host_ed25519_key ] || [ -e /var/lib/maculaos/ssh/ssh_host_ed25519_key ]; then say hostkey 1; else say hostkey 0; fi
  eval "set -f; set -- $PATHS; set +f"
  for pattern; do
    total=0
    # Unquoted on purpose: the pattern's stars are the shell's.
    for path in $pattern; do
      [ -e "$path" ] || continue
      kib=$(du -skx "$path" 2>/dev/null | awk '{ print $1 }')
      total=$((total + ${kib:-0}))
    done
    say size "$total $pattern"
  done
  BASE=/
  nested | sed 's/^/mount /'
  echo END
}
main < /dev/null
