# Prints configuration files of a k3OS node as `F BASE64(path) BASE64(content)` lines, then END. POSIX sh, busybox.
# SOURCES: files and directories. Nothing is written.
set -u
PATH=${PATH:-}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
LIMIT=1048576

b64() { base64 | tr -d '\n'; }
put() { # PATH < content
  printf 'F %s ' "$(printf '%s' "$1" | b64)"
  b64
  printf '\n'
}
file() {
  [ -f "$1" ] && [ -r "$1" ] || return 0
  case $1 in
    */maculaos/git/* | */maculaos/nats/* | */maculaos/backups/* | */maculaos/node/* | */maculaos/ssh/*) return 0 ;;
    */k3os/git/* | */k3os/node/* | */k3os/ssh/*) return 0 ;;
    # Only its public half is of use here.
    */identity.json)
      tr ',{}' '\n\n\n' < "$1" | sed -n 's/^ *\("did" *: *"[^"]*"\).*/{\1}/p' | head -n 1 | put "$1"
      return 0
      ;;
    */portal-token.json | */credentials/* | */console-token | */api-key | */ca/*) return 0 ;;
  esac
  [ "$(wc -c < "$1")" -le "$LIMIT" ] || return 0
  put "$1" < "$1"
}
live() { put "/run/macula-fleet-import/$1"; }

main() {
  eval "set -- $SOURCES"
  for source; do
    if [ -d "$source" ]; then
      find "$source" -xdev -type f 2>/dev/null | while IFS= read -r f; do file "$f"; done
    else
      file "$source"
    fi
  done
  put /proc/cmdline < /proc/cmdline
  hostname | live hostname
  uname -m | live arch
  if [ -d /sys/firmware/efi ]; then echo uefi; else echo bios; fi | live boot
  cat /proc/mounts | live mounts
  ip -j addr 2>/dev/null | live addresses.json
  ip -j route 2>/dev/null | live routes.json
  lsblk -J -b -o NAME,PATH,TYPE,SIZE,SERIAL,MODEL,MOUNTPOINT,FSTYPE 2>/dev/null | live disks.json
  cat /etc/ssh/ssh_host_*_key.pub /var/lib/maculaos/ssh/ssh_host_*_key.pub 2>/dev/null | sort -u | live host-keys
  k3s --version 2>/dev/null | head -n 1 | live k3s-version
  for program in maculaos k3os; do
    if command -v "$program" > /dev/null 2>&1; then
      "$program" config --dump-json 2>/dev/null | live config.json
      break
    fi
  done
  echo END
}
main < /dev/null
