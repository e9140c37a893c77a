# macula-fleet/1 activate

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

# The host's memory of its last activation (state.json) and the lock around it. One field per line: sed and sh read it.
lock() { # SECONDS
  mkdir -p "$RUN_DIR" && chmod 0700 "$RUN_DIR" || refuse "$R_DISK" "cannot write $RUN_DIR"
  exec 9> "$RUN_DIR/lock"
  flock -w "$1" 9 || refuse "$R_BUSY" "another operation of macula-fleet is under way here"
}
unlock() { exec 9>&-; }

state_load() {
  S_ROLLOUT='' S_ATTEMPT=0 S_FENCE=0 S_FROM='' S_TO='' S_MODE=test S_PHASE='' S_RC=null S_REASON='' S_BOOT='' S_BASELINE='[]'
  [ -f "$STATE" ] || return 1
  while IFS= read -r line; do
    case $line in *'": '*) ;; *) continue ;; esac
    key=${line%%'": '*}
    key=${key#*'"'}
    value=${line#*'": '}
    value=${value%,}
    case $value in '"'*) value=${value#'"'} value=${value%'"'} ;; esac
    case $key in
      rollout) S_ROLLOUT=$value ;;
      attempt) S_ATTEMPT=$value ;;
      fence) S_FENCE=$value ;;
      from) S_FROM=$value ;;
      to) S_TO=$value ;;
      mode) S_MODE=$value ;;
      phase) S_PHASE=$value ;;
      rc) S_RC=$value ;;
      reason) if [ "$value" = null ]; then S_REASON=''; else S_REASON=$value; fi ;;
      bootId) S_BOOT=$value ;;
      baselineFailed) S_BASELINE=$value ;;
    esac
  done < "$STATE"
}

# Written beside, synced, renamed: a power cut leaves the old or the new file, never half of one.
state_write() {
  mkdir -p "$STATE_DIR" || return 1
  tmp=$STATE.new
  {
    printf '{\n  "schema": 1,\n  "rollout": "%s",\n  "attempt": %s,\n  "fence": %s,\n' "$S_ROLLOUT" "$S_ATTEMPT" "$S_FENCE"
    printf '  "from": "%s",\n  "to": "%s",\n  "mode": "%s",\n  "phase": "%s",\n' "$S_FROM" "$S_TO" "$S_MODE" "$S_PHASE"
    printf '  "rc": %s,\n' "$S_RC"
    if [ -n "$S_REASON" ]; then printf '  "reason": "%s",\n' "$S_REASON"; else printf '  "reason": null,\n'; fi
    printf '  "bootId": "%s",\n  "baselineFailed": %s\n}\n' "$S_BOOT" "$S_BASELINE"
  } > "$tmp" || return 1
  sync "$tmp" 2>/dev/null || sync
  mv -f "$tmp" "$STATE" || return 1
  sync "$STATE_DIR" 2>/dev/null || sync
}

# Unit names hold no quotes or commas, so the array is one line of words.
baseline_units() {
  printf '%s\n' "$S_BASELINE" | sed -e 's/^\[//' -e 's/\]$//' -e 's/\\\\/\\/g' | tr ',' '\n' | sed -e 's/^"//' -e 's/"$//' -e '/^$/d'
}

# Is the state still about this very activation?
mine() { [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_ATTEMPT" = "$ATTEMPT" ]; }

check_fence() { [ "$1" -ge "$S_FENCE" ] || refuse "$R_FENCED" "a controller with fence $S_FENCE was here; yours is $1"; }

note_field() { # FILE FIELD
  sed -n "s/^ *\"$2\": \"\\{0,1\\}\\(.*[^\",]\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" "$1" 2>/dev/null | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'
}

# A hold whose end has passed does not count.
held() {
  [ -f "$STATE_DIR/hold.json" ] || return 1
  until=$(json_num "$(note_field "$STATE_DIR/hold.json" until)" 0)
  [ "$until" -eq 0 ] || [ "$(date +%s)" -lt "$until" ]
}

check_holds() {
  ! held || refuse "$R_HELD" "held by $(note_field "$STATE_DIR/hold.json" by): $(note_field "$STATE_DIR/hold.json" reason)"
  [ ! -f "$STATE_DIR/lock.json" ] ||
    refuse "$R_HELD" "locked by $(note_field "$STATE_DIR/lock.json" by): $(note_field "$STATE_DIR/lock.json" reason)"
}

# Units of one run, systems and boot loaders. Expects RUN.
RUN=${RUN-}
U=macula-fleet-$RUN
D=$RUN_DIR/$RUN
LOG=$LOG_DIR/$RUN.log
GUARD_DIR=/etc/systemd/system.control
GUARD_HOME=$STATE_DIR/boot/$RUN

same_file() { [ "$(link "$1")" = "$(link "$2")" ] || cmp -s "$1" "$2"; }
# Does one of the two need another kernel than the other? Then only a reboot brings all of it.
differ_in_kernel() { # SYSTEM SYSTEM
  for part in kernel initrd kernel-modules; do
    [ -e "$1/$part" ] || [ -e "$2/$part" ] || continue
    if [ -d "$1/$part" ] && [ -d "$2/$part" ]; then # named after the version: no need to read them
      [ "$(ls "$1/$part/lib/modules" 2>/dev/null)" = "$(ls "$2/$part/lib/modules" 2>/dev/null)" ] || return 0
    else
      same_file "$1/$part" "$2/$part" || return 0
    fi
  done
  return 1
}

unit_alive() {
  case $(systemctl show -p ActiveState --value "$1" 2>/dev/null) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

# Units of other runs that are doing something here.
other_runs() {
  systemctl list-units --all --plain --no-legend --full 'macula-fleet-*' 2>/dev/null |
    while read -r unit _ active _; do
      case $unit in "$U-activate.service" | "$U-revert.timer" | "$U-revert.service" | "$U-commit.service" | "$U-boot.service") continue ;; esac
      case $active in active | activating | deactivating) printf '%s\n' "$unit" ;; esac
    done
}

# A transient unit of its own: no file descriptor, no cgroup and no session is shared with whoever asked for it.
start_unit() { # NAME PROGRAM [systemd-run options]
  name=$1
  program=$2
  shift 2
  systemctl reset-failed "$name.service" 2>/dev/null
  systemd-run --quiet --collect --no-ask-password --unit="$name" --service-type=exec "$@" \
    -p StandardInput=null -p StandardOutput="append:$LOG" -p StandardError=inherit \
    -p KillMode=process -p IgnoreSIGPIPE=yes -p TimeoutStopSec=10 \
    --setenv=LOCALE_ARCHIVE=/run/current-system/sw/lib/locale/locale-archive \
    /bin/sh "$program" < /dev/null 9>&-
}

prepare_run() {
  mkdir -p "$D" "$LOG_DIR" && chmod 0700 "$RUN_DIR" "$D" "$LOG_DIR" && : >> "$LOG"
}

put_off() { # SECONDS from now
  printf '%s\n' "$(($(uptime_s) + $1))" > "$D/deadline.new" && mv -f "$D/deadline.new" "$D/deadline"
}

# The timer only says when to look first: the program it starts waits for the deadline in the file, which contact moves.
arm_revert() { # SECONDS
  printf '%s\n' "$1" > "$D/confirm" && put_off "$1" || return 1
  systemctl stop "$U-revert.timer" 2>/dev/null
  start_unit "$U-revert" "$D/restore.sh" --on-active="$1" --timer-property=AccuracySec=100ms
}
disarm() { systemctl stop "$U-revert.timer" 2>/dev/null; :; }

# Starts the way back now; REASON is what the host will remember.
go_back() {
  printf '%s\n' "$1" > "$D/reason"
  if unit_alive "$U-revert.service"; then return 0; fi # it is waiting for its deadline and will see the reason
  disarm
  start_unit "$U-revert" "$D/restore.sh" || systemctl start --no-block "$U-revert.service"
}

SWITCH_LIMIT=''
# Runs switch-to-configuration, waiting for whoever else switches right now. Its output goes to the unit's log.
switch_to() { # SYSTEM VERB
  tries=0
  while :; do
    said_before=$(wc -c < "$LOG")
    # shellcheck disable=SC2086 # a command in front, or nothing
    $SWITCH_LIMIT "$1/bin/switch-to-configuration" "$2" < /dev/null 9>&-
    rc=$?
    [ "$rc" -ne 0 ] && tail -c "+$((said_before + 1))" "$LOG" | grep -q 'Could not acquire lock' && [ "$tries" -lt 15 ] || return "$rc"
    tries=$((tries + 1))
    sleep 2
  done
}

new_failed() { # units that failed since the baseline and are not to be ignored
  failed_units | {
    old=$(baseline_units)
    while IFS= read -r unit; do
      printf '%s\n%s\n' "$old" "${IGNORE_UNITS-}" | grep -qxF -- "$unit" || printf '%s\n' "$unit"
    done
  }
}

# Before a revert changes what there is to see.
save_evidence() {
  failed_units > "$LOG_DIR/$RUN.failed"
  since=$(cat "$D/started" 2>/dev/null || date +%s)
  set --
  while IFS= read -r unit; do set -- "$@" -u "$unit"; done < "$LOG_DIR/$RUN.failed"
  [ $# -eq 0 ] || journalctl --no-pager -q -o short-iso --since="@$since" -n 100 "$@" > "$LOG_DIR/$RUN.journal" 2>/dev/null
  :
}

# What the next boot starts, and how to make a system the next boot only once.
esp() { # where systemd-boot keeps its files
  for dir in /boot /efi /boot/efi; do
    if [ -e "$dir/loader/loader.conf" ]; then
      printf '%s' "$dir"
      return
    fi
  done
}

loader() {
  if [ -e /boot/lab-default ]; then echo lab
  elif [ -n "$(esp)" ]; then echo systemd-boot
  elif [ -e /boot/grub/grub.cfg ]; then echo grub
  elif [ -e /boot/extlinux/extlinux.conf ]; then echo extlinux
  else echo none; fi
}

init_of() { sed -n 's#.*init=\(/nix/store/[^/ ]*\)/init.*#\1#p' | head -n 1; }

boot_default() {
  case $(loader) in
    lab) cat /boot/lab-default ;;
    systemd-boot)
      entry=$(sed -n 's/^default[[:space:]]*//p' "$(esp)/loader/loader.conf" | head -n 1)
      case $entry in
        '' | *[*?/]*) ;;
        *) init_of < "$(esp)/loader/entries/${entry%.conf}.conf" 2>/dev/null ;;
      esac
      ;;
    # NixOS writes the default entry first, for both.
    grub) init_of < /boot/grub/grub.cfg ;;
    extlinux) init_of < /boot/extlinux/extlinux.conf ;;
  esac
}

# The place of SYSTEM's entry in grub.cfg as grub-reboot wants it (`2` or `1>0`).
grub_entry() {
  awk -v want="init=$1/init" '
    /^[ \t]*submenu / { path = top + 0; top++; sub_i = 0; in_sub = 1; next }
    /^[ \t]*menuentry / { if (in_sub) { at = path ">" sub_i; sub_i++ } else { at = top + 0; top++ } entry = 1; next }
    index($0, want) && entry { print at; exit }
    /^[ \t]*}/ { if (entry) entry = 0; else in_sub = 0 }
  ' /boot/grub/grub.cfg
}

# An entry for TO next to the default one: NixOS writes entries for every profile, so TO gets a profile of its own and
# FROM, which stays the default, writes them.
side_entry() {
  mkdir -p "${SIDE_PROFILE%/*}" && nix-env -p "$SIDE_PROFILE" --set "$TO" < /dev/null 9>&- && switch_to "$FROM" boot
}
remove_side_entry() { rm -f "$SIDE_PROFILE" "$SIDE_PROFILE"-*-link; }

can_boot_once() {
  case $(loader) in
    lab) ;;
    systemd-boot) command -v bootctl > /dev/null && [ -d /sys/firmware/efi/efivars ] ;;
    grub) command -v grub-reboot > /dev/null && [ -e /boot/grub/grubenv ] ;;
    *) return 1 ;;
  esac
}

# The default stays FROM, so that any further boot - a power cut, a hang, a panic - is FROM again.
boot_once() {
  case $(loader) in
    lab) printf '%s\n' "$TO" > /boot/lab-oneshot && sync ;;
    systemd-boot)
      side_entry || return 1
      entry=$(grep -lF "init=$TO/init" "$(esp)"/loader/entries/*.conf | head -n 1)
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && bootctl set-oneshot "${entry##*/}"
      ;;
    grub)
      side_entry || return 1
      entry=$(grub_entry "$TO")
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && grub-reboot "$entry"
      ;;
    *) return 1 ;;
  esac
}

cancel_boot_once() {
  case $(loader) in
    lab) rm -f /boot/lab-oneshot ;;
    systemd-boot) bootctl set-oneshot '' 2>/dev/null ;;
    grub) grub-editenv /boot/grub/grubenv unset next_entry 2>/dev/null ;;
  esac
  :
}

# /etc/systemd/system.control is read by every systemd and left alone by NixOS: the one place where a unit survives
# both a reboot and a change of system without being part of either. `boot.sh` runs in whatever comes up.
install_guard() {
  mkdir -p "$GUARD_HOME" "$GUARD_DIR/multi-user.target.wants" &&
    cp "$D/boot.sh" "$D/restore.sh" "$GUARD_HOME/" &&
    printf '%s\n' '[Unit]' 'Description=macula-fleet: judge what this boot came up with' \
      '[Service]' 'Type=oneshot' "StandardOutput=append:$LOG" 'StandardError=inherit' \
      "ExecStart=/bin/sh $GUARD_HOME/boot.sh" > "$GUARD_DIR/$U-boot.service" &&
    ln -sfn "../$U-boot.service" "$GUARD_DIR/multi-user.target.wants/$U-boot.service" && sync
}
remove_guard() {
  rm -f "$GUARD_DIR/multi-user.target.wants/$U-boot.service" "$GUARD_DIR/$U-boot.service"
  rm -rf "$GUARD_HOME"
  rmdir "$GUARD_DIR/multi-user.target.wants" 2>/dev/null
  :
}

# Programs that run in units of their own, with the parameters of this activation in front. Expects every parameter.
program_parameters() {
  printf "RUN=%s\nATTEMPT=%s\nFENCE=%s\nFROM=%s\nTO=%s\nMODE=%s\nCONFIRM_TIMEOUT=%s\nMAY_REBOOT=%s\nIGNORE_UNITS='%s'\n" \
    "$RUN" "$ATTEMPT" "$FENCE" "$FROM" "$TO" "$MODE" "$CONFIRM_TIMEOUT" "${MAY_REBOOT-}" \
    "$(printf '%s' "${IGNORE_UNITS-}" | sed 's/[^A-Za-z0-9_@:.\\-]//g')"
}

write_program() { # NAME FILE
  { program_parameters && "program_$1"; } > "$2.new" && mv -f "$2.new" "$2"
}

program_supervise() {
  cat << 'MACULA_FLEET_PROGRAM'
# macula-fleet/1 supervise

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

# The host's memory of its last activation (state.json) and the lock around it. One field per line: sed and sh read it.
lock() { # SECONDS
  mkdir -p "$RUN_DIR" && chmod 0700 "$RUN_DIR" || refuse "$R_DISK" "cannot write $RUN_DIR"
  exec 9> "$RUN_DIR/lock"
  flock -w "$1" 9 || refuse "$R_BUSY" "another operation of macula-fleet is under way here"
}
unlock() { exec 9>&-; }

state_load() {
  S_ROLLOUT='' S_ATTEMPT=0 S_FENCE=0 S_FROM='' S_TO='' S_MODE=test S_PHASE='' S_RC=null S_REASON='' S_BOOT='' S_BASELINE='[]'
  [ -f "$STATE" ] || return 1
  while IFS= read -r line; do
    case $line in *'": '*) ;; *) continue ;; esac
    key=${line%%'": '*}
    key=${key#*'"'}
    value=${line#*'": '}
    value=${value%,}
    case $value in '"'*) value=${value#'"'} value=${value%'"'} ;; esac
    case $key in
      rollout) S_ROLLOUT=$value ;;
      attempt) S_ATTEMPT=$value ;;
      fence) S_FENCE=$value ;;
      from) S_FROM=$value ;;
      to) S_TO=$value ;;
      mode) S_MODE=$value ;;
      phase) S_PHASE=$value ;;
      rc) S_RC=$value ;;
      reason) if [ "$value" = null ]; then S_REASON=''; else S_REASON=$value; fi ;;
      bootId) S_BOOT=$value ;;
      baselineFailed) S_BASELINE=$value ;;
    esac
  done < "$STATE"
}

# Written beside, synced, renamed: a power cut leaves the old or the new file, never half of one.
state_write() {
  mkdir -p "$STATE_DIR" || return 1
  tmp=$STATE.new
  {
    printf '{\n  "schema": 1,\n  "rollout": "%s",\n  "attempt": %s,\n  "fence": %s,\n' "$S_ROLLOUT" "$S_ATTEMPT" "$S_FENCE"
    printf '  "from": "%s",\n  "to": "%s",\n  "mode": "%s",\n  "phase": "%s",\n' "$S_FROM" "$S_TO" "$S_MODE" "$S_PHASE"
    printf '  "rc": %s,\n' "$S_RC"
    if [ -n "$S_REASON" ]; then printf '  "reason": "%s",\n' "$S_REASON"; else printf '  "reason": null,\n'; fi
    printf '  "bootId": "%s",\n  "baselineFailed": %s\n}\n' "$S_BOOT" "$S_BASELINE"
  } > "$tmp" || return 1
  sync "$tmp" 2>/dev/null || sync
  mv -f "$tmp" "$STATE" || return 1
  sync "$STATE_DIR" 2>/dev/null || sync
}

# Unit names hold no quotes or commas, so the array is one line of words.
baseline_units() {
  printf '%s\n' "$S_BASELINE" | sed -e 's/^\[//' -e 's/\]$//' -e 's/\\\\/\\/g' | tr ',' '\n' | sed -e 's/^"//' -e 's/"$//' -e '/^$/d'
}

# Is the state still about this very activation?
mine() { [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_ATTEMPT" = "$ATTEMPT" ]; }

check_fence() { [ "$1" -ge "$S_FENCE" ] || refuse "$R_FENCED" "a controller with fence $S_FENCE was here; yours is $1"; }

note_field() { # FILE FIELD
  sed -n "s/^ *\"$2\": \"\\{0,1\\}\\(.*[^\",]\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" "$1" 2>/dev/null | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'
}

# A hold whose end has passed does not count.
held() {
  [ -f "$STATE_DIR/hold.json" ] || return 1
  until=$(json_num "$(note_field "$STATE_DIR/hold.json" until)" 0)
  [ "$until" -eq 0 ] || [ "$(date +%s)" -lt "$until" ]
}

check_holds() {
  ! held || refuse "$R_HELD" "held by $(note_field "$STATE_DIR/hold.json" by): $(note_field "$STATE_DIR/hold.json" reason)"
  [ ! -f "$STATE_DIR/lock.json" ] ||
    refuse "$R_HELD" "locked by $(note_field "$STATE_DIR/lock.json" by): $(note_field "$STATE_DIR/lock.json" reason)"
}

# Units of one run, systems and boot loaders. Expects RUN.
RUN=${RUN-}
U=macula-fleet-$RUN
D=$RUN_DIR/$RUN
LOG=$LOG_DIR/$RUN.log
GUARD_DIR=/etc/systemd/system.control
GUARD_HOME=$STATE_DIR/boot/$RUN

same_file() { [ "$(link "$1")" = "$(link "$2")" ] || cmp -s "$1" "$2"; }
# Does one of the two need another kernel than the other? Then only a reboot brings all of it.
differ_in_kernel() { # SYSTEM SYSTEM
  for part in kernel initrd kernel-modules; do
    [ -e "$1/$part" ] || [ -e "$2/$part" ] || continue
    if [ -d "$1/$part" ] && [ -d "$2/$part" ]; then # named after the version: no need to read them
      [ "$(ls "$1/$part/lib/modules" 2>/dev/null)" = "$(ls "$2/$part/lib/modules" 2>/dev/null)" ] || return 0
    else
      same_file "$1/$part" "$2/$part" || return 0
    fi
  done
  return 1
}

unit_alive() {
  case $(systemctl show -p ActiveState --value "$1" 2>/dev/null) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

# Units of other runs that are doing something here.
other_runs() {
  systemctl list-units --all --plain --no-legend --full 'macula-fleet-*' 2>/dev/null |
    while read -r unit _ active _; do
      case $unit in "$U-activate.service" | "$U-revert.timer" | "$U-revert.service" | "$U-commit.service" | "$U-boot.service") continue ;; esac
      case $active in active | activating | deactivating) printf '%s\n' "$unit" ;; esac
    done
}

# A transient unit of its own: no file descriptor, no cgroup and no session is shared with whoever asked for it.
start_unit() { # NAME PROGRAM [systemd-run options]
  name=$1
  program=$2
  shift 2
  systemctl reset-failed "$name.service" 2>/dev/null
  systemd-run --quiet --collect --no-ask-password --unit="$name" --service-type=exec "$@" \
    -p StandardInput=null -p StandardOutput="append:$LOG" -p StandardError=inherit \
    -p KillMode=process -p IgnoreSIGPIPE=yes -p TimeoutStopSec=10 \
    --setenv=LOCALE_ARCHIVE=/run/current-system/sw/lib/locale/locale-archive \
    /bin/sh "$program" < /dev/null 9>&-
}

prepare_run() {
  mkdir -p "$D" "$LOG_DIR" && chmod 0700 "$RUN_DIR" "$D" "$LOG_DIR" && : >> "$LOG"
}

put_off() { # SECONDS from now
  printf '%s\n' "$(($(uptime_s) + $1))" > "$D/deadline.new" && mv -f "$D/deadline.new" "$D/deadline"
}

# The timer only says when to look first: the program it starts waits for the deadline in the file, which contact moves.
arm_revert() { # SECONDS
  printf '%s\n' "$1" > "$D/confirm" && put_off "$1" || return 1
  systemctl stop "$U-revert.timer" 2>/dev/null
  start_unit "$U-revert" "$D/restore.sh" --on-active="$1" --timer-property=AccuracySec=100ms
}
disarm() { systemctl stop "$U-revert.timer" 2>/dev/null; :; }

# Starts the way back now; REASON is what the host will remember.
go_back() {
  printf '%s\n' "$1" > "$D/reason"
  if unit_alive "$U-revert.service"; then return 0; fi # it is waiting for its deadline and will see the reason
  disarm
  start_unit "$U-revert" "$D/restore.sh" || systemctl start --no-block "$U-revert.service"
}

SWITCH_LIMIT=''
# Runs switch-to-configuration, waiting for whoever else switches right now. Its output goes to the unit's log.
switch_to() { # SYSTEM VERB
  tries=0
  while :; do
    said_before=$(wc -c < "$LOG")
    # shellcheck disable=SC2086 # a command in front, or nothing
    $SWITCH_LIMIT "$1/bin/switch-to-configuration" "$2" < /dev/null 9>&-
    rc=$?
    [ "$rc" -ne 0 ] && tail -c "+$((said_before + 1))" "$LOG" | grep -q 'Could not acquire lock' && [ "$tries" -lt 15 ] || return "$rc"
    tries=$((tries + 1))
    sleep 2
  done
}

new_failed() { # units that failed since the baseline and are not to be ignored
  failed_units | {
    old=$(baseline_units)
    while IFS= read -r unit; do
      printf '%s\n%s\n' "$old" "${IGNORE_UNITS-}" | grep -qxF -- "$unit" || printf '%s\n' "$unit"
    done
  }
}

# Before a revert changes what there is to see.
save_evidence() {
  failed_units > "$LOG_DIR/$RUN.failed"
  since=$(cat "$D/started" 2>/dev/null || date +%s)
  set --
  while IFS= read -r unit; do set -- "$@" -u "$unit"; done < "$LOG_DIR/$RUN.failed"
  [ $# -eq 0 ] || journalctl --no-pager -q -o short-iso --since="@$since" -n 100 "$@" > "$LOG_DIR/$RUN.journal" 2>/dev/null
  :
}

# What the next boot starts, and how to make a system the next boot only once.
esp() { # where systemd-boot keeps its files
  for dir in /boot /efi /boot/efi; do
    if [ -e "$dir/loader/loader.conf" ]; then
      printf '%s' "$dir"
      return
    fi
  done
}

loader() {
  if [ -e /boot/lab-default ]; then echo lab
  elif [ -n "$(esp)" ]; then echo systemd-boot
  elif [ -e /boot/grub/grub.cfg ]; then echo grub
  elif [ -e /boot/extlinux/extlinux.conf ]; then echo extlinux
  else echo none; fi
}

init_of() { sed -n 's#.*init=\(/nix/store/[^/ ]*\)/init.*#\1#p' | head -n 1; }

boot_default() {
  case $(loader) in
    lab) cat /boot/lab-default ;;
    systemd-boot)
      entry=$(sed -n 's/^default[[:space:]]*//p' "$(esp)/loader/loader.conf" | head -n 1)
      case $entry in
        '' | *[*?/]*) ;;
        *) init_of < "$(esp)/loader/entries/${entry%.conf}.conf" 2>/dev/null ;;
      esac
      ;;
    # NixOS writes the default entry first, for both.
    grub) init_of < /boot/grub/grub.cfg ;;
    extlinux) init_of < /boot/extlinux/extlinux.conf ;;
  esac
}

# The place of SYSTEM's entry in grub.cfg as grub-reboot wants it (`2` or `1>0`).
grub_entry() {
  awk -v want="init=$1/init" '
    /^[ \t]*submenu / { path = top + 0; top++; sub_i = 0; in_sub = 1; next }
    /^[ \t]*menuentry / { if (in_sub) { at = path ">" sub_i; sub_i++ } else { at = top + 0; top++ } entry = 1; next }
    index($0, want) && entry { print at; exit }
    /^[ \t]*}/ { if (entry) entry = 0; else in_sub = 0 }
  ' /boot/grub/grub.cfg
}

# An entry for TO next to the default one: NixOS writes entries for every profile, so TO gets a profile of its own and
# FROM, which stays the default, writes them.
side_entry() {
  mkdir -p "${SIDE_PROFILE%/*}" && nix-env -p "$SIDE_PROFILE" --set "$TO" < /dev/null 9>&- && switch_to "$FROM" boot
}
remove_side_entry() { rm -f "$SIDE_PROFILE" "$SIDE_PROFILE"-*-link; }

can_boot_once() {
  case $(loader) in
    lab) ;;
    systemd-boot) command -v bootctl > /dev/null && [ -d /sys/firmware/efi/efivars ] ;;
    grub) command -v grub-reboot > /dev/null && [ -e /boot/grub/grubenv ] ;;
    *) return 1 ;;
  esac
}

# The default stays FROM, so that any further boot - a power cut, a hang, a panic - is FROM again.
boot_once() {
  case $(loader) in
    lab) printf '%s\n' "$TO" > /boot/lab-oneshot && sync ;;
    systemd-boot)
      side_entry || return 1
      entry=$(grep -lF "init=$TO/init" "$(esp)"/loader/entries/*.conf | head -n 1)
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && bootctl set-oneshot "${entry##*/}"
      ;;
    grub)
      side_entry || return 1
      entry=$(grub_entry "$TO")
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && grub-reboot "$entry"
      ;;
    *) return 1 ;;
  esac
}

cancel_boot_once() {
  case $(loader) in
    lab) rm -f /boot/lab-oneshot ;;
    systemd-boot) bootctl set-oneshot '' 2>/dev/null ;;
    grub) grub-editenv /boot/grub/grubenv unset next_entry 2>/dev/null ;;
  esac
  :
}

# /etc/systemd/system.control is read by every systemd and left alone by NixOS: the one place where a unit survives
# both a reboot and a change of system without being part of either. `boot.sh` runs in whatever comes up.
install_guard() {
  mkdir -p "$GUARD_HOME" "$GUARD_DIR/multi-user.target.wants" &&
    cp "$D/boot.sh" "$D/restore.sh" "$GUARD_HOME/" &&
    printf '%s\n' '[Unit]' 'Description=macula-fleet: judge what this boot came up with' \
      '[Service]' 'Type=oneshot' "StandardOutput=append:$LOG" 'StandardError=inherit' \
      "ExecStart=/bin/sh $GUARD_HOME/boot.sh" > "$GUARD_DIR/$U-boot.service" &&
    ln -sfn "../$U-boot.service" "$GUARD_DIR/multi-user.target.wants/$U-boot.service" && sync
}
remove_guard() {
  rm -f "$GUARD_DIR/multi-user.target.wants/$U-boot.service" "$GUARD_DIR/$U-boot.service"
  rm -rf "$GUARD_HOME"
  rmdir "$GUARD_DIR/multi-user.target.wants" 2>/dev/null
  :
}

# Runs inside the activation unit: switch, judge the exit status, go back at once when it is bad.
say() { printf 'macula-fleet: %s\n' "$*"; }

conclude() { # PHASE RC: still ours and still activating, else a revert has begun and owns the state
  lock 60
  state_load
  mine && [ "$S_PHASE" = activating ] || exit 0
  S_PHASE=$1 S_RC=$2
  state_write
  unlock
}

boot_into() { # RC
  if [ -z "$MAY_REBOOT" ] || ! can_boot_once; then
    say "this system needs a reboot, which is not allowed or cannot be undone by the boot loader ($(loader))"
    conclude activating "$1"
    go_back activation
    exit 0
  fi
  lock 60
  state_load
  mine && [ "$S_PHASE" = activating ] || exit 0
  S_MODE=boot
  state_write
  # Later boots must find the judge; from here on it is the boot loader that brings FROM back.
  if install_guard && boot_once; then
    disarm
    unlock
    say "rebooting into $TO, once"
    systemctl --no-block reboot && exit 0
  fi
  cancel_boot_once
  remove_guard
  S_RC=$1
  state_write
  unlock
  go_back activation
  exit 0
}

main() {
  [ "$MODE" = test ] || boot_into null
  before=$(wc -c < "$LOG")
  switch_to "$TO" test
  rc=$?
  say "switch-to-configuration test: exit $rc"
  case $rc in
    0) conclude activated 0 ;;
    4) # the system is active; only units that were not failed before, and matter, speak against it
      sleep 1
      state_load
      fresh=$(new_failed)
      if [ -z "$fresh" ]; then conclude activated 4; else
        say "newly failed: $(printf '%s' "$fresh" | tr '\n' ' ')"
        conclude activating 4
        go_back activation
      fi
      ;;
    100) boot_into 100 ;;
    *)
      if [ "$rc" -eq 1 ] && tail -c "+$((before + 1))" "$LOG" | grep -Eiq 'switch ?inhibitors|pre-switch check'; then boot_into 1; fi
      conclude activating "$rc"
      go_back activation
      ;;
  esac
}

main < /dev/null
MACULA_FLEET_PROGRAM
}

program_restore() {
  cat << 'MACULA_FLEET_PROGRAM'
# macula-fleet/1 restore

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

# The host's memory of its last activation (state.json) and the lock around it. One field per line: sed and sh read it.
lock() { # SECONDS
  mkdir -p "$RUN_DIR" && chmod 0700 "$RUN_DIR" || refuse "$R_DISK" "cannot write $RUN_DIR"
  exec 9> "$RUN_DIR/lock"
  flock -w "$1" 9 || refuse "$R_BUSY" "another operation of macula-fleet is under way here"
}
unlock() { exec 9>&-; }

state_load() {
  S_ROLLOUT='' S_ATTEMPT=0 S_FENCE=0 S_FROM='' S_TO='' S_MODE=test S_PHASE='' S_RC=null S_REASON='' S_BOOT='' S_BASELINE='[]'
  [ -f "$STATE" ] || return 1
  while IFS= read -r line; do
    case $line in *'": '*) ;; *) continue ;; esac
    key=${line%%'": '*}
    key=${key#*'"'}
    value=${line#*'": '}
    value=${value%,}
    case $value in '"'*) value=${value#'"'} value=${value%'"'} ;; esac
    case $key in
      rollout) S_ROLLOUT=$value ;;
      attempt) S_ATTEMPT=$value ;;
      fence) S_FENCE=$value ;;
      from) S_FROM=$value ;;
      to) S_TO=$value ;;
      mode) S_MODE=$value ;;
      phase) S_PHASE=$value ;;
      rc) S_RC=$value ;;
      reason) if [ "$value" = null ]; then S_REASON=''; else S_REASON=$value; fi ;;
      bootId) S_BOOT=$value ;;
      baselineFailed) S_BASELINE=$value ;;
    esac
  done < "$STATE"
}

# Written beside, synced, renamed: a power cut leaves the old or the new file, never half of one.
state_write() {
  mkdir -p "$STATE_DIR" || return 1
  tmp=$STATE.new
  {
    printf '{\n  "schema": 1,\n  "rollout": "%s",\n  "attempt": %s,\n  "fence": %s,\n' "$S_ROLLOUT" "$S_ATTEMPT" "$S_FENCE"
    printf '  "from": "%s",\n  "to": "%s",\n  "mode": "%s",\n  "phase": "%s",\n' "$S_FROM" "$S_TO" "$S_MODE" "$S_PHASE"
    printf '  "rc": %s,\n' "$S_RC"
    if [ -n "$S_REASON" ]; then printf '  "reason": "%s",\n' "$S_REASON"; else printf '  "reason": null,\n'; fi
    printf '  "bootId": "%s",\n  "baselineFailed": %s\n}\n' "$S_BOOT" "$S_BASELINE"
  } > "$tmp" || return 1
  sync "$tmp" 2>/dev/null || sync
  mv -f "$tmp" "$STATE" || return 1
  sync "$STATE_DIR" 2>/dev/null || sync
}

# Unit names hold no quotes or commas, so the array is one line of words.
baseline_units() {
  printf '%s\n' "$S_BASELINE" | sed -e 's/^\[//' -e 's/\]$//' -e 's/\\\\/\\/g' | tr ',' '\n' | sed -e 's/^"//' -e 's/"$//' -e '/^$/d'
}

# Is the state still about this very activation?
mine() { [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_ATTEMPT" = "$ATTEMPT" ]; }

check_fence() { [ "$1" -ge "$S_FENCE" ] || refuse "$R_FENCED" "a controller with fence $S_FENCE was here; yours is $1"; }

note_field() { # FILE FIELD
  sed -n "s/^ *\"$2\": \"\\{0,1\\}\\(.*[^\",]\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" "$1" 2>/dev/null | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'
}

# A hold whose end has passed does not count.
held() {
  [ -f "$STATE_DIR/hold.json" ] || return 1
  until=$(json_num "$(note_field "$STATE_DIR/hold.json" until)" 0)
  [ "$until" -eq 0 ] || [ "$(date +%s)" -lt "$until" ]
}

check_holds() {
  ! held || refuse "$R_HELD" "held by $(note_field "$STATE_DIR/hold.json" by): $(note_field "$STATE_DIR/hold.json" reason)"
  [ ! -f "$STATE_DIR/lock.json" ] ||
    refuse "$R_HELD" "locked by $(note_field "$STATE_DIR/lock.json" by): $(note_field "$STATE_DIR/lock.json" reason)"
}

# Units of one run, systems and boot loaders. Expects RUN.
RUN=${RUN-}
U=macula-fleet-$RUN
D=$RUN_DIR/$RUN
LOG=$LOG_DIR/$RUN.log
GUARD_DIR=/etc/systemd/system.control
GUARD_HOME=$STATE_DIR/boot/$RUN

same_file() { [ "$(link "$1")" = "$(link "$2")" ] || cmp -s "$1" "$2"; }
# Does one of the two need another kernel than the other? Then only a reboot brings all of it.
differ_in_kernel() { # SYSTEM SYSTEM
  for part in kernel initrd kernel-modules; do
    [ -e "$1/$part" ] || [ -e "$2/$part" ] || continue
    if [ -d "$1/$part" ] && [ -d "$2/$part" ]; then # named after the version: no need to read them
      [ "$(ls "$1/$part/lib/modules" 2>/dev/null)" = "$(ls "$2/$part/lib/modules" 2>/dev/null)" ] || return 0
    else
      same_file "$1/$part" "$2/$part" || return 0
    fi
  done
  return 1
}

unit_alive() {
  case $(systemctl show -p ActiveState --value "$1" 2>/dev/null) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

# Units of other runs that are doing something here.
other_runs() {
  systemctl list-units --all --plain --no-legend --full 'macula-fleet-*' 2>/dev/null |
    while read -r unit _ active _; do
      case $unit in "$U-activate.service" | "$U-revert.timer" | "$U-revert.service" | "$U-commit.service" | "$U-boot.service") continue ;; esac
      case $active in active | activating | deactivating) printf '%s\n' "$unit" ;; esac
    done
}

# A transient unit of its own: no file descriptor, no cgroup and no session is shared with whoever asked for it.
start_unit() { # NAME PROGRAM [systemd-run options]
  name=$1
  program=$2
  shift 2
  systemctl reset-failed "$name.service" 2>/dev/null
  systemd-run --quiet --collect --no-ask-password --unit="$name" --service-type=exec "$@" \
    -p StandardInput=null -p StandardOutput="append:$LOG" -p StandardError=inherit \
    -p KillMode=process -p IgnoreSIGPIPE=yes -p TimeoutStopSec=10 \
    --setenv=LOCALE_ARCHIVE=/run/current-system/sw/lib/locale/locale-archive \
    /bin/sh "$program" < /dev/null 9>&-
}

prepare_run() {
  mkdir -p "$D" "$LOG_DIR" && chmod 0700 "$RUN_DIR" "$D" "$LOG_DIR" && : >> "$LOG"
}

put_off() { # SECONDS from now
  printf '%s\n' "$(($(uptime_s) + $1))" > "$D/deadline.new" && mv -f "$D/deadline.new" "$D/deadline"
}

# The timer only says when to look first: the program it starts waits for the deadline in the file, which contact moves.
arm_revert() { # SECONDS
  printf '%s\n' "$1" > "$D/confirm" && put_off "$1" || return 1
  systemctl stop "$U-revert.timer" 2>/dev/null
  start_unit "$U-revert" "$D/restore.sh" --on-active="$1" --timer-property=AccuracySec=100ms
}
disarm() { systemctl stop "$U-revert.timer" 2>/dev/null; :; }

# Starts the way back now; REASON is what the host will remember.
go_back() {
  printf '%s\n' "$1" > "$D/reason"
  if unit_alive "$U-revert.service"; then return 0; fi # it is waiting for its deadline and will see the reason
  disarm
  start_unit "$U-revert" "$D/restore.sh" || systemctl start --no-block "$U-revert.service"
}

SWITCH_LIMIT=''
# Runs switch-to-configuration, waiting for whoever else switches right now. Its output goes to the unit's log.
switch_to() { # SYSTEM VERB
  tries=0
  while :; do
    said_before=$(wc -c < "$LOG")
    # shellcheck disable=SC2086 # a command in front, or nothing
    $SWITCH_LIMIT "$1/bin/switch-to-configuration" "$2" < /dev/null 9>&-
    rc=$?
    [ "$rc" -ne 0 ] && tail -c "+$((said_before + 1))" "$LOG" | grep -q 'Could not acquire lock' && [ "$tries" -lt 15 ] || return "$rc"
    tries=$((tries + 1))
    sleep 2
  done
}

new_failed() { # units that failed since the baseline and are not to be ignored
  failed_units | {
    old=$(baseline_units)
    while IFS= read -r unit; do
      printf '%s\n%s\n' "$old" "${IGNORE_UNITS-}" | grep -qxF -- "$unit" || printf '%s\n' "$unit"
    done
  }
}

# Before a revert changes what there is to see.
save_evidence() {
  failed_units > "$LOG_DIR/$RUN.failed"
  since=$(cat "$D/started" 2>/dev/null || date +%s)
  set --
  while IFS= read -r unit; do set -- "$@" -u "$unit"; done < "$LOG_DIR/$RUN.failed"
  [ $# -eq 0 ] || journalctl --no-pager -q -o short-iso --since="@$since" -n 100 "$@" > "$LOG_DIR/$RUN.journal" 2>/dev/null
  :
}

# What the next boot starts, and how to make a system the next boot only once.
esp() { # where systemd-boot keeps its files
  for dir in /boot /efi /boot/efi; do
    if [ -e "$dir/loader/loader.conf" ]; then
      printf '%s' "$dir"
      return
    fi
  done
}

loader() {
  if [ -e /boot/lab-default ]; then echo lab
  elif [ -n "$(esp)" ]; then echo systemd-boot
  elif [ -e /boot/grub/grub.cfg ]; then echo grub
  elif [ -e /boot/extlinux/extlinux.conf ]; then echo extlinux
  else echo none; fi
}

init_of() { sed -n 's#.*init=\(/nix/store/[^/ ]*\)/init.*#\1#p' | head -n 1; }

boot_default() {
  case $(loader) in
    lab) cat /boot/lab-default ;;
    systemd-boot)
      entry=$(sed -n 's/^default[[:space:]]*//p' "$(esp)/loader/loader.conf" | head -n 1)
      case $entry in
        '' | *[*?/]*) ;;
        *) init_of < "$(esp)/loader/entries/${entry%.conf}.conf" 2>/dev/null ;;
      esac
      ;;
    # NixOS writes the default entry first, for both.
    grub) init_of < /boot/grub/grub.cfg ;;
    extlinux) init_of < /boot/extlinux/extlinux.conf ;;
  esac
}

# The place of SYSTEM's entry in grub.cfg as grub-reboot wants it (`2` or `1>0`).
grub_entry() {
  awk -v want="init=$1/init" '
    /^[ \t]*submenu / { path = top + 0; top++; sub_i = 0; in_sub = 1; next }
    /^[ \t]*menuentry / { if (in_sub) { at = path ">" sub_i; sub_i++ } else { at = top + 0; top++ } entry = 1; next }
    index($0, want) && entry { print at; exit }
    /^[ \t]*}/ { if (entry) entry = 0; else in_sub = 0 }
  ' /boot/grub/grub.cfg
}

# An entry for TO next to the default one: NixOS writes entries for every profile, so TO gets a profile of its own and
# FROM, which stays the default, writes them.
side_entry() {
  mkdir -p "${SIDE_PROFILE%/*}" && nix-env -p "$SIDE_PROFILE" --set "$TO" < /dev/null 9>&- && switch_to "$FROM" boot
}
remove_side_entry() { rm -f "$SIDE_PROFILE" "$SIDE_PROFILE"-*-link; }

can_boot_once() {
  case $(loader) in
    lab) ;;
    systemd-boot) command -v bootctl > /dev/null && [ -d /sys/firmware/efi/efivars ] ;;
    grub) command -v grub-reboot > /dev/null && [ -e /boot/grub/grubenv ] ;;
    *) return 1 ;;
  esac
}

# The default stays FROM, so that any further boot - a power cut, a hang, a panic - is FROM again.
boot_once() {
  case $(loader) in
    lab) printf '%s\n' "$TO" > /boot/lab-oneshot && sync ;;
    systemd-boot)
      side_entry || return 1
      entry=$(grep -lF "init=$TO/init" "$(esp)"/loader/entries/*.conf | head -n 1)
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && bootctl set-oneshot "${entry##*/}"
      ;;
    grub)
      side_entry || return 1
      entry=$(grub_entry "$TO")
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && grub-reboot "$entry"
      ;;
    *) return 1 ;;
  esac
}

cancel_boot_once() {
  case $(loader) in
    lab) rm -f /boot/lab-oneshot ;;
    systemd-boot) bootctl set-oneshot '' 2>/dev/null ;;
    grub) grub-editenv /boot/grub/grubenv unset next_entry 2>/dev/null ;;
  esac
  :
}

# /etc/systemd/system.control is read by every systemd and left alone by NixOS: the one place where a unit survives
# both a reboot and a change of system without being part of either. `boot.sh` runs in whatever comes up.
install_guard() {
  mkdir -p "$GUARD_HOME" "$GUARD_DIR/multi-user.target.wants" &&
    cp "$D/boot.sh" "$D/restore.sh" "$GUARD_HOME/" &&
    printf '%s\n' '[Unit]' 'Description=macula-fleet: judge what this boot came up with' \
      '[Service]' 'Type=oneshot' "StandardOutput=append:$LOG" 'StandardError=inherit' \
      "ExecStart=/bin/sh $GUARD_HOME/boot.sh" > "$GUARD_DIR/$U-boot.service" &&
    ln -sfn "../$U-boot.service" "$GUARD_DIR/multi-user.target.wants/$U-boot.service" && sync
}
remove_guard() {
  rm -f "$GUARD_DIR/multi-user.target.wants/$U-boot.service" "$GUARD_DIR/$U-boot.service"
  rm -rf "$GUARD_HOME"
  rmdir "$GUARD_DIR/multi-user.target.wants" 2>/dev/null
  :
}

# The way back, in a unit of its own: by the timer, by the supervisor, by an operator. Only FROM and this file are needed.
say() { printf 'macula-fleet: %s\n' "$*"; }

# A lock that is never given back must not keep a host from going back.
patient_lock() {
  exec 9> "$RUN_DIR/lock"
  flock -w 300 9 || say "going on without the lock"
}

reverted() {
  patient_lock
  S_PHASE=reverted S_BOOT=$(boot_id)
  state_write
  unlock
  [ "$S_MODE" = test ] || { remove_guard; remove_side_entry; }
  say "back on $FROM ($S_REASON)"
  exit 0
}

reboot_into_from() { # needs FROM to be what the loader starts
  default=$(boot_default)
  if [ -n "$default" ] && [ "$default" != "$FROM" ] || [ -z "$default" ] && [ -n "$moved" ]; then return 1; fi
  cancel_boot_once
  install_guard
  say "rebooting into $FROM"
  systemctl --no-block reboot
}

main() {
  while :; do
    patient_lock
    state_load && mine || exit 0
    reason=$(cat "$D/reason" 2>/dev/null)
    case $S_PHASE in
      reverted | revert-failed) [ -n "$reason" ] && [ "$S_PHASE" = revert-failed ] || exit 0 ;;
      committed) [ -n "$reason" ] || exit 0 ;;
    esac
    [ -z "$reason" ] || break
    if [ "$(json_num "$(cat "$D/deadline" 2>/dev/null)" 0)" -le "$(uptime_s)" ]; then
      reason=timeout
      break
    fi
    unlock
    sleep 1
  done
  S_PHASE=reverting S_REASON=$reason S_BOOT=$(boot_id)
  state_write
  unlock
  say "going back to $FROM: $reason"
  PATH=$PATH:$FROM/sw/bin
  disarm
  if unit_alive "$U-activate.service"; then
    sleep 1
    # The whole cgroup: a switch-to-configuration that hangs holds the lock that the way back needs.
    systemctl kill -s KILL "$U-activate.service" 2>/dev/null
    sleep 1
  fi
  save_evidence
  moved='' verb=test
  # A way back that hangs is no way back: better reboot into FROM.
  SWITCH_LIMIT='timeout -k 10 1800'
  command -v timeout > /dev/null || SWITCH_LIMIT=''
  if [ "$(link $PROFILE)" = "$TO" ] && [ "$TO" != "$FROM" ]; then
    moved=1 verb=switch
    nix-env -p $PROFILE --set "$FROM" < /dev/null
  fi
  if [ "$S_MODE" = boot ] && [ "$(link /run/booted-system)" = "$TO" ]; then
    # Kernel or init differ: only a boot really goes back.
    [ -z "$moved" ] || switch_to "$FROM" boot
    if reboot_into_from; then exit 0; fi
  fi
  for _ in 1 2; do
    switch_to "$FROM" "$verb"
    rc=$?
    say "switch-to-configuration $verb of $FROM: exit $rc"
    case $rc in 0 | 4) if [ "$(link /run/current-system)" = "$FROM" ]; then reverted; fi ;; esac
    sleep 2
  done
  [ -z "$moved" ] || switch_to "$FROM" boot
  if reboot_into_from; then exit 0; fi
  patient_lock
  S_PHASE=revert-failed
  state_write
  say "could not go back to $FROM"
  exit 1
}

main < /dev/null
MACULA_FLEET_PROGRAM
}

program_boot() {
  cat << 'MACULA_FLEET_PROGRAM'
# macula-fleet/1 boot

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

# The host's memory of its last activation (state.json) and the lock around it. One field per line: sed and sh read it.
lock() { # SECONDS
  mkdir -p "$RUN_DIR" && chmod 0700 "$RUN_DIR" || refuse "$R_DISK" "cannot write $RUN_DIR"
  exec 9> "$RUN_DIR/lock"
  flock -w "$1" 9 || refuse "$R_BUSY" "another operation of macula-fleet is under way here"
}
unlock() { exec 9>&-; }

state_load() {
  S_ROLLOUT='' S_ATTEMPT=0 S_FENCE=0 S_FROM='' S_TO='' S_MODE=test S_PHASE='' S_RC=null S_REASON='' S_BOOT='' S_BASELINE='[]'
  [ -f "$STATE" ] || return 1
  while IFS= read -r line; do
    case $line in *'": '*) ;; *) continue ;; esac
    key=${line%%'": '*}
    key=${key#*'"'}
    value=${line#*'": '}
    value=${value%,}
    case $value in '"'*) value=${value#'"'} value=${value%'"'} ;; esac
    case $key in
      rollout) S_ROLLOUT=$value ;;
      attempt) S_ATTEMPT=$value ;;
      fence) S_FENCE=$value ;;
      from) S_FROM=$value ;;
      to) S_TO=$value ;;
      mode) S_MODE=$value ;;
      phase) S_PHASE=$value ;;
      rc) S_RC=$value ;;
      reason) if [ "$value" = null ]; then S_REASON=''; else S_REASON=$value; fi ;;
      bootId) S_BOOT=$value ;;
      baselineFailed) S_BASELINE=$value ;;
    esac
  done < "$STATE"
}

# Written beside, synced, renamed: a power cut leaves the old or the new file, never half of one.
state_write() {
  mkdir -p "$STATE_DIR" || return 1
  tmp=$STATE.new
  {
    printf '{\n  "schema": 1,\n  "rollout": "%s",\n  "attempt": %s,\n  "fence": %s,\n' "$S_ROLLOUT" "$S_ATTEMPT" "$S_FENCE"
    printf '  "from": "%s",\n  "to": "%s",\n  "mode": "%s",\n  "phase": "%s",\n' "$S_FROM" "$S_TO" "$S_MODE" "$S_PHASE"
    printf '  "rc": %s,\n' "$S_RC"
    if [ -n "$S_REASON" ]; then printf '  "reason": "%s",\n' "$S_REASON"; else printf '  "reason": null,\n'; fi
    printf '  "bootId": "%s",\n  "baselineFailed": %s\n}\n' "$S_BOOT" "$S_BASELINE"
  } > "$tmp" || return 1
  sync "$tmp" 2>/dev/null || sync
  mv -f "$tmp" "$STATE" || return 1
  sync "$STATE_DIR" 2>/dev/null || sync
}

# Unit names hold no quotes or commas, so the array is one line of words.
baseline_units() {
  printf '%s\n' "$S_BASELINE" | sed -e 's/^\[//' -e 's/\]$//' -e 's/\\\\/\\/g' | tr ',' '\n' | sed -e 's/^"//' -e 's/"$//' -e '/^$/d'
}

# Is the state still about this very activation?
mine() { [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_ATTEMPT" = "$ATTEMPT" ]; }

check_fence() { [ "$1" -ge "$S_FENCE" ] || refuse "$R_FENCED" "a controller with fence $S_FENCE was here; yours is $1"; }

note_field() { # FILE FIELD
  sed -n "s/^ *\"$2\": \"\\{0,1\\}\\(.*[^\",]\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" "$1" 2>/dev/null | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'
}

# A hold whose end has passed does not count.
held() {
  [ -f "$STATE_DIR/hold.json" ] || return 1
  until=$(json_num "$(note_field "$STATE_DIR/hold.json" until)" 0)
  [ "$until" -eq 0 ] || [ "$(date +%s)" -lt "$until" ]
}

check_holds() {
  ! held || refuse "$R_HELD" "held by $(note_field "$STATE_DIR/hold.json" by): $(note_field "$STATE_DIR/hold.json" reason)"
  [ ! -f "$STATE_DIR/lock.json" ] ||
    refuse "$R_HELD" "locked by $(note_field "$STATE_DIR/lock.json" by): $(note_field "$STATE_DIR/lock.json" reason)"
}

# Units of one run, systems and boot loaders. Expects RUN.
RUN=${RUN-}
U=macula-fleet-$RUN
D=$RUN_DIR/$RUN
LOG=$LOG_DIR/$RUN.log
GUARD_DIR=/etc/systemd/system.control
GUARD_HOME=$STATE_DIR/boot/$RUN

same_file() { [ "$(link "$1")" = "$(link "$2")" ] || cmp -s "$1" "$2"; }
# Does one of the two need another kernel than the other? Then only a reboot brings all of it.
differ_in_kernel() { # SYSTEM SYSTEM
  for part in kernel initrd kernel-modules; do
    [ -e "$1/$part" ] || [ -e "$2/$part" ] || continue
    if [ -d "$1/$part" ] && [ -d "$2/$part" ]; then # named after the version: no need to read them
      [ "$(ls "$1/$part/lib/modules" 2>/dev/null)" = "$(ls "$2/$part/lib/modules" 2>/dev/null)" ] || return 0
    else
      same_file "$1/$part" "$2/$part" || return 0
    fi
  done
  return 1
}

unit_alive() {
  case $(systemctl show -p ActiveState --value "$1" 2>/dev/null) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

# Units of other runs that are doing something here.
other_runs() {
  systemctl list-units --all --plain --no-legend --full 'macula-fleet-*' 2>/dev/null |
    while read -r unit _ active _; do
      case $unit in "$U-activate.service" | "$U-revert.timer" | "$U-revert.service" | "$U-commit.service" | "$U-boot.service") continue ;; esac
      case $active in active | activating | deactivating) printf '%s\n' "$unit" ;; esac
    done
}

# A transient unit of its own: no file descriptor, no cgroup and no session is shared with whoever asked for it.
start_unit() { # NAME PROGRAM [systemd-run options]
  name=$1
  program=$2
  shift 2
  systemctl reset-failed "$name.service" 2>/dev/null
  systemd-run --quiet --collect --no-ask-password --unit="$name" --service-type=exec "$@" \
    -p StandardInput=null -p StandardOutput="append:$LOG" -p StandardError=inherit \
    -p KillMode=process -p IgnoreSIGPIPE=yes -p TimeoutStopSec=10 \
    --setenv=LOCALE_ARCHIVE=/run/current-system/sw/lib/locale/locale-archive \
    /bin/sh "$program" < /dev/null 9>&-
}

prepare_run() {
  mkdir -p "$D" "$LOG_DIR" && chmod 0700 "$RUN_DIR" "$D" "$LOG_DIR" && : >> "$LOG"
}

put_off() { # SECONDS from now
  printf '%s\n' "$(($(uptime_s) + $1))" > "$D/deadline.new" && mv -f "$D/deadline.new" "$D/deadline"
}

# The timer only says when to look first: the program it starts waits for the deadline in the file, which contact moves.
arm_revert() { # SECONDS
  printf '%s\n' "$1" > "$D/confirm" && put_off "$1" || return 1
  systemctl stop "$U-revert.timer" 2>/dev/null
  start_unit "$U-revert" "$D/restore.sh" --on-active="$1" --timer-property=AccuracySec=100ms
}
disarm() { systemctl stop "$U-revert.timer" 2>/dev/null; :; }

# Starts the way back now; REASON is what the host will remember.
go_back() {
  printf '%s\n' "$1" > "$D/reason"
  if unit_alive "$U-revert.service"; then return 0; fi # it is waiting for its deadline and will see the reason
  disarm
  start_unit "$U-revert" "$D/restore.sh" || systemctl start --no-block "$U-revert.service"
}

SWITCH_LIMIT=''
# Runs switch-to-configuration, waiting for whoever else switches right now. Its output goes to the unit's log.
switch_to() { # SYSTEM VERB
  tries=0
  while :; do
    said_before=$(wc -c < "$LOG")
    # shellcheck disable=SC2086 # a command in front, or nothing
    $SWITCH_LIMIT "$1/bin/switch-to-configuration" "$2" < /dev/null 9>&-
    rc=$?
    [ "$rc" -ne 0 ] && tail -c "+$((said_before + 1))" "$LOG" | grep -q 'Could not acquire lock' && [ "$tries" -lt 15 ] || return "$rc"
    tries=$((tries + 1))
    sleep 2
  done
}

new_failed() { # units that failed since the baseline and are not to be ignored
  failed_units | {
    old=$(baseline_units)
    while IFS= read -r unit; do
      printf '%s\n%s\n' "$old" "${IGNORE_UNITS-}" | grep -qxF -- "$unit" || printf '%s\n' "$unit"
    done
  }
}

# Before a revert changes what there is to see.
save_evidence() {
  failed_units > "$LOG_DIR/$RUN.failed"
  since=$(cat "$D/started" 2>/dev/null || date +%s)
  set --
  while IFS= read -r unit; do set -- "$@" -u "$unit"; done < "$LOG_DIR/$RUN.failed"
  [ $# -eq 0 ] || journalctl --no-pager -q -o short-iso --since="@$since" -n 100 "$@" > "$LOG_DIR/$RUN.journal" 2>/dev/null
  :
}

# What the next boot starts, and how to make a system the next boot only once.
esp() { # where systemd-boot keeps its files
  for dir in /boot /efi /boot/efi; do
    if [ -e "$dir/loader/loader.conf" ]; then
      printf '%s' "$dir"
      return
    fi
  done
}

loader() {
  if [ -e /boot/lab-default ]; then echo lab
  elif [ -n "$(esp)" ]; then echo systemd-boot
  elif [ -e /boot/grub/grub.cfg ]; then echo grub
  elif [ -e /boot/extlinux/extlinux.conf ]; then echo extlinux
  else echo none; fi
}

init_of() { sed -n 's#.*init=\(/nix/store/[^/ ]*\)/init.*#\1#p' | head -n 1; }

boot_default() {
  case $(loader) in
    lab) cat /boot/lab-default ;;
    systemd-boot)
      entry=$(sed -n 's/^default[[:space:]]*//p' "$(esp)/loader/loader.conf" | head -n 1)
      case $entry in
        '' | *[*?/]*) ;;
        *) init_of < "$(esp)/loader/entries/${entry%.conf}.conf" 2>/dev/null ;;
      esac
      ;;
    # NixOS writes the default entry first, for both.
    grub) init_of < /boot/grub/grub.cfg ;;
    extlinux) init_of < /boot/extlinux/extlinux.conf ;;
  esac
}

# The place of SYSTEM's entry in grub.cfg as grub-reboot wants it (`2` or `1>0`).
grub_entry() {
  awk -v want="init=$1/init" '
    /^[ \t]*submenu / { path = top + 0; top++; sub_i = 0; in_sub = 1; next }
    /^[ \t]*menuentry / { if (in_sub) { at = path ">" sub_i; sub_i++ } else { at = top + 0; top++ } entry = 1; next }
    index($0, want) && entry { print at; exit }
    /^[ \t]*}/ { if (entry) entry = 0; else in_sub = 0 }
  ' /boot/grub/grub.cfg
}

# An entry for TO next to the default one: NixOS writes entries for every profile, so TO gets a profile of its own and
# FROM, which stays the default, writes them.
side_entry() {
  mkdir -p "${SIDE_PROFILE%/*}" && nix-env -p "$SIDE_PROFILE" --set "$TO" < /dev/null 9>&- && switch_to "$FROM" boot
}
remove_side_entry() { rm -f "$SIDE_PROFILE" "$SIDE_PROFILE"-*-link; }

can_boot_once() {
  case $(loader) in
    lab) ;;
    systemd-boot) command -v bootctl > /dev/null && [ -d /sys/firmware/efi/efivars ] ;;
    grub) command -v grub-reboot > /dev/null && [ -e /boot/grub/grubenv ] ;;
    *) return 1 ;;
  esac
}

# The default stays FROM, so that any further boot - a power cut, a hang, a panic - is FROM again.
boot_once() {
  case $(loader) in
    lab) printf '%s\n' "$TO" > /boot/lab-oneshot && sync ;;
    systemd-boot)
      side_entry || return 1
      entry=$(grep -lF "init=$TO/init" "$(esp)"/loader/entries/*.conf | head -n 1)
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && bootctl set-oneshot "${entry##*/}"
      ;;
    grub)
      side_entry || return 1
      entry=$(grub_entry "$TO")
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && grub-reboot "$entry"
      ;;
    *) return 1 ;;
  esac
}

cancel_boot_once() {
  case $(loader) in
    lab) rm -f /boot/lab-oneshot ;;
    systemd-boot) bootctl set-oneshot '' 2>/dev/null ;;
    grub) grub-editenv /boot/grub/grubenv unset next_entry 2>/dev/null ;;
  esac
  :
}

# /etc/systemd/system.control is read by every systemd and left alone by NixOS: the one place where a unit survives
# both a reboot and a change of system without being part of either. `boot.sh` runs in whatever comes up.
install_guard() {
  mkdir -p "$GUARD_HOME" "$GUARD_DIR/multi-user.target.wants" &&
    cp "$D/boot.sh" "$D/restore.sh" "$GUARD_HOME/" &&
    printf '%s\n' '[Unit]' 'Description=macula-fleet: judge what this boot came up with' \
      '[Service]' 'Type=oneshot' "StandardOutput=append:$LOG" 'StandardError=inherit' \
      "ExecStart=/bin/sh $GUARD_HOME/boot.sh" > "$GUARD_DIR/$U-boot.service" &&
    ln -sfn "../$U-boot.service" "$GUARD_DIR/multi-user.target.wants/$U-boot.service" && sync
}
remove_guard() {
  rm -f "$GUARD_DIR/multi-user.target.wants/$U-boot.service" "$GUARD_DIR/$U-boot.service"
  rm -rf "$GUARD_HOME"
  rmdir "$GUARD_DIR/multi-user.target.wants" 2>/dev/null
  :
}

# Runs early in a boot after a reboot that this run asked for: which system came up, and may it stay?
say() { printf 'macula-fleet: %s\n' "$*"; }

main() {
  lock 60
  if ! { state_load && mine; } || [ "$S_PHASE" = committed ]; then
    remove_guard
    exit 0
  fi
  current=$(link /run/current-system)
  prepare_run
  if [ "$current" = "$TO" ] && [ "$S_PHASE" = activating ]; then
    say "up on $TO, not confirmed"
    date +%s > "$D/started"
    cp "$GUARD_HOME/restore.sh" "$GUARD_HOME/boot.sh" "$D/"
    arm_revert "$CONFIRM_TIMEOUT" || { systemctl --no-block reboot; exit 1; }
    S_PHASE=activated S_RC=0 S_BOOT=$(boot_id)
    state_write
    exit 0
  fi
  if [ "$current" = "$TO" ]; then # it was to be left, and came up again: the loader's default is it
    S_PHASE=revert-failed
  else
    S_PHASE=reverted S_REASON=${S_REASON:-boot}
    remove_side_entry
  fi
  S_BOOT=$(boot_id)
  state_write
  say "up on $current: $S_PHASE"
  remove_guard
}

main < /dev/null
MACULA_FLEET_PROGRAM
}

# What the owner of this host has to say: programs in consent.d, asked before anything is changed. None there: consent.
CONSENT_DIR=/etc/macula-fleet/consent.d
CONSENT_SECONDS=10 # each

# Runs one program, bounded: neither what it leaves running nor a flood of words may keep anybody. Sets ANSWER and SAID.
ask_owner() { # PROGRAM SECONDS
  SAID=$({
    (
      # Its own business again: what we ignore, it would inherit.
      trap - HUP PIPE
      cd /
      export MACULA_FROM="$FROM" MACULA_TO="$TO" MACULA_MODE="$MODE"
      exec timeout -k 2 "$2" "$1" < /dev/null 9>&-
    )
    echo "$?" > "$RUN_DIR/consent"
  } 2>&1 | timeout "$(($2 + 3))" sh -c 'dd bs=1 count=2000 2>/dev/null; exec cat > /dev/null')
  ANSWER=$(cat "$RUN_DIR/consent" 2>/dev/null)
  rm -f "$RUN_DIR/consent"
}

words() { tr '\001-\011\013-\037\177' ' ' | sed -e 's/^ *//' -e 's/ *$//' -e '/^$/d' | cut -c 1-200; }

not_consented() { # PROGRAM REASON SECONDS-FROM-NOW SENTENCE
  printf '{"schema":1,"by":%s,"reason":%s,"askAgainIn":%s}\n' "$(json_str "$1")" "$(json_str "$2")" "$3"
  refuse "$R_NOT_NOW" "$4"
}

# Exit 21: not now, with a first line that says why and `until=` a time. What fails has not consented.
judge_owner() { # NAME SECONDS
  case $ANSWER in
    0) return 0 ;;
    21) ;;
    124 | 137) not_consented "$1" "no answer" null "its owner's program $1 gave no answer within $2 s" ;;
    *)
      why=$(printf '%s\n' "$SAID" | words | tail -n 1)
      not_consented "$1" "failed" null "its owner's program $1 failed (exit ${ANSWER:-unknown})${why:+: $why}"
      ;;
  esac
  reason=$(printf '%s\n' "$SAID" | words | sed '/^until=/d' | head -n 1)
  until=$(printf '%s\n' "$SAID" | words | sed -n 's/^until=//p' | head -n 1)
  sentence="not now: ${reason:-no reason given} ($1)"
  [ -n "$until" ] || not_consented "$1" "$reason" null "$sentence"
  # Seconds since the epoch, or whatever `date` takes for a time, by this host's clock and zone.
  case $until in *[!0-9]*) at=$until ;; *) at=@$until ;; esac
  at=$(date -d "$at" +%s 2>/dev/null) || not_consented "$1" "$reason" null "$sentence; until=$until is no time"
  left=$((at - $(date +%s)))
  [ "$left" -gt 0 ] || not_consented "$1" "$reason" null "$sentence"
  not_consented "$1" "$reason" "$left" "$sentence, until $(date -d "@$at" '+%Y-%m-%d %H:%M %Z')"
}

# True if anybody was asked. A word to activate that left no trace by then counts as never begun (`lateWordMs`): all of
# them together have no longer, or the host could change when nobody expects it any more.
ask_owners() { # BEGAN: when the word arrived, by uptime
  asked=1
  all=$((CONFIRM_TIMEOUT / 4))
  [ "$all" -le 30 ] || all=30
  [ "$all" -ge 2 ] || all=2
  ends=$(($1 + all))
  for program in "$CONSENT_DIR"/*; do
    name=${program##*/}
    case $name in *'~') continue ;; esac
    if [ -L "$program" ] && [ ! -e "$program" ]; then
      not_consented "$name" "failed" null "its owner's program $name is a link to nothing"
    fi
    [ -f "$program" ] && [ -x "$program" ] || continue
    asked=0
    limit=$((ends - $(uptime_s)))
    [ "$limit" -gt 0 ] || not_consented "$name" "no answer" null "there was no time left to ask its owner's program $name"
    [ "$limit" -le "$CONSENT_SECONDS" ] || limit=$CONSENT_SECONDS
    ask_owner "$program" "$limit"
    judge_owner "$name" "$limit"
  done
  return "$asked"
}

# Starts one activation: record, arm the way back, then start. Whoever asked may be gone by the next line.
RUN=${RUN-} ATTEMPT=${ATTEMPT-} FENCE=${FENCE-} FROM=${FROM-} TO=${TO-} MODE=${MODE-test}
CONFIRM_TIMEOUT=${CONFIRM_TIMEOUT-} MAY_REBOOT=${MAY_REBOOT-} IGNORE_UNITS=${IGNORE_UNITS-}
IGNORE_CONSENT=${IGNORE_CONSENT-}

start() {
  unit_alive "$U-revert.timer" || arm_revert "$CONFIRM_TIMEOUT" || refuse "$R_UNSUITABLE" "the revert timer could not be armed"
  unit_alive "$U-activate.service" || start_unit "$U-activate" "$D/supervise.sh" || {
    disarm
    S_PHASE=reverted S_REASON=activation
    state_write
    refuse "$R_FAILED" "the activation unit could not be started"
  }
}

as_expected() {
  if [ -e /run/nixos/switch-to-configuration.lock ] && ! flock -n /run/nixos/switch-to-configuration.lock true; then
    refuse "$R_BUSY" "somebody else is switching this host"
  fi
  current=$(link /run/current-system)
  [ "$current" = "$FROM" ] || refuse "$R_MOVED" "this host runs $current, not $FROM"
  nix-store --check-validity "$FROM" "$TO" 2>/dev/null && [ -e "$TO/nixos-version" ] || refuse "$R_INCOMPLETE" "$TO is not complete in this store"
  [ -x "$FROM/bin/switch-to-configuration" ] || refuse "$R_UNSUITABLE" "there is no way back: $FROM cannot switch"
}

main() {
  need_run "$RUN" && need_number "$ATTEMPT" && need_number "$FENCE" && need_number "$CONFIRM_TIMEOUT"
  need_system "$FROM" && need_system "$TO"
  case $MODE in test | boot) ;; *) refuse "$R_USAGE" "not a mode: $MODE" ;; esac
  [ -d /run/systemd/system ] && command -v systemd-run > /dev/null || refuse "$R_UNSUITABLE" "systemd is not running here"
  command -v flock > /dev/null || refuse "$R_UNSUITABLE" "flock was not found"
  began=$(uptime_s)
  lock 20
  state_load || :
  check_fence "$FENCE"
  if mine; then # asked again: at most finish what was begun
    [ "$S_TO" = "$TO" ] || refuse "$R_MOVED" "attempt $ATTEMPT of $RUN is about $S_TO"
    if [ "$S_PHASE" = activating ] && [ "$S_BOOT" = "$(boot_id)" ] && [ "$S_RC" = null ] && [ ! -e "$D/launched" ]; then
      start
      : > "$D/launched"
    fi
    done_json already
    exit 0
  fi
  check_holds
  others=$(other_runs | head -n 1)
  [ -z "$others" ] || refuse "$R_BUSY" "$others is active"
  for unit in "$U-activate.service" "$U-revert.service" "$U-revert.timer" "$U-commit.service"; do
    ! unit_alive "$unit" || refuse "$R_BUSY" "$unit of an earlier attempt is active"
  done
  as_expected
  [ "$MODE" = test ] || can_boot_once || refuse "$R_UNSUITABLE" "the boot loader ($(loader)) cannot boot a system only once"
  # What was true before its owner was asked may have changed by now.
  if [ -z "$IGNORE_CONSENT" ] && ask_owners "$began"; then as_expected; fi

  rm -rf "$D" "$LOG_DIR/$RUN.failed" "$LOG_DIR/$RUN.journal"
  prepare_run || refuse "$R_DISK" "cannot write $D and $LOG_DIR"
  S_ROLLOUT=$RUN S_ATTEMPT=$ATTEMPT S_FENCE=$FENCE S_FROM=$FROM S_TO=$TO S_MODE=$MODE S_PHASE=activating S_RC=null S_REASON=''
  S_BOOT=$(boot_id) S_BASELINE=$(failed_units | json_lines)
  date +%s > "$D/started"
  write_program restore "$D/restore.sh" && write_program boot "$D/boot.sh" && write_program supervise "$D/supervise.sh" ||
    refuse "$R_DISK" "cannot write $D"
  mkdir -p "$ROOTS" && ln -sfn "$FROM" "$ROOTS/$RUN-from" && ln -sfn "$TO" "$ROOTS/$RUN-to" || refuse "$R_DISK" "cannot write $ROOTS"
  state_write || refuse "$R_DISK" "cannot write $STATE"
  start
  : > "$D/launched"
  done_json started
}

main < /dev/null
