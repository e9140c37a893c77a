# Common beginning of every script: environment, refusals, JSON. POSIX sh; no other tool than those of a minimal NixOS.
set -u
# Commands found by the login come first: what is added here is for logins and units that have next to nothing.
PATH=${PATH:+$PATH:}/run/wrappers/bin:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
# 022, not 077: switch-to-configuration inherits it. Private directories get their mode explicitly.
umask 022
# A connection that goes away must not end an operation half way.
trap '' HUP PIPE

STATE_DIR=/var/lib/macula-fleet
STATE=$STATE_DIR/state.json
RUN_DIR=/run/macula-fleet
LOG_DIR=/var/log/macula-fleet
ROOTS=/nix/var/nix/gcroots/macula-fleet
PROFILE=/nix/var/nix/profiles/system
# No dash: NixOS's GRUB menu leaves out profiles whose name is not one word of letters, digits and underscores.
SIDE_PROFILE=/nix/var/nix/profiles/system-profiles/macula_fleet

# Refusals; `refusals.ts` maps them.
R_USAGE=40 R_FENCED=41 R_BUSY=42 R_HELD=43 R_MOVED=44 R_INCOMPLETE=45 R_DISK=46 R_UNSUITABLE=47 R_UNKNOWN=48 R_WENT_BACK=49 R_FAILED=50 R_ALIEN=51 R_NOT_NOW=52

refuse() { # CODE SENTENCE
  code=$1
  shift
  printf 'macula-fleet: %s\n' "$*" >&2
  exit "$code"
}

done_json() { printf '{"schema":1,"did":"%s"}\n' "$1"; }

need_run() { case $1 in '' | *[!A-Za-z0-9_.-]*) refuse "$R_USAGE" "not a run id: $1" ;; esac; }
need_number() { case $1 in '' | *[!0-9]*) refuse "$R_USAGE" "not a number: $1" ;; esac; }
need_system() { # a store path, nothing below it
  case $1 in
    /nix/store/*) case ${1#/nix/store/} in '' | *[!A-Za-z0-9+._?=-]*) refuse "$R_USAGE" "not a store path: $1" ;; esac ;;
    *) refuse "$R_USAGE" "not a store path: $1" ;;
  esac
}

uptime_s() {
  read -r up _ < /proc/uptime
  printf '%s' "${up%.*}"
}

boot_id() {
  read -r id < /proc/sys/kernel/random/boot_id
  printf '%s' "$id"
}

read_file() { tr -d '\000' < "$1" 2>/dev/null | tr -s ' ' | sed -e 's/^ //' -e 's/ $//' | head -n 1; }

disk_serial() { # NAME: as in /sys/block
  serial=$(read_file "/sys/block/$1/device/serial")
  [ -n "$serial" ] || serial=$(read_file "/sys/block/$1/serial") # virtio
  [ -n "$serial" ] || serial=$(udevadm info --query=property --name="$1" 2>/dev/null | sed -n 's/^ID_SERIAL_SHORT=//p')
  printf '%s' "$serial"
}

# --- JSON
json_str() {
  case $1 in
    *[!A-Za-z0-9\ _./:@+=,%~-]*)
      printf '"'
      printf '%s' "$1" | tr '\001-\011\013-\037\177' ' ' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' |
        sed -e ':a' -e '$!{' -e 'N' -e 'ba' -e '}' -e 's/\n/\\n/g' | tr -d '\n'
      printf '"'
      ;;
    *) printf '"%s"' "$1" ;;
  esac
}

# Lines of stdin as an array; blank ones are dropped.
json_lines() {
  printf '['
  tr '\001-\011\013-\037\177' ' ' | sed -e '/^ *$/d' |
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&"/' -e '$!s/$/,/' | tr -d '\n'
  printf ']'
}

json_num() { # VALUE FALLBACK
  case $1 in
    '' | *[!0-9]*) printf '%s' "$2" ;;
    *) printf '%s' "$1" ;;
  esac
}

json_bool() { if [ -n "$1" ]; then printf true; else printf false; fi; }

link() { readlink -f "$1" 2>/dev/null || :; }
# A link to something that is there, or nothing.
system_link() { if [ -e "$1" ]; then link "$1"; fi; }

failed_units() {
  systemctl list-units --state=failed --all --plain --no-legend --full 2>/dev/null |
    sed -e 's/^[^A-Za-z0-9_@:.\\-]*//' -e 's/[[:space:]].*//' -e '/^macula-fleet-/d' -e '/^$/d' | sort -u
}
