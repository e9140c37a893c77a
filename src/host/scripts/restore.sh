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
