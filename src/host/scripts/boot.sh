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
