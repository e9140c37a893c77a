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
