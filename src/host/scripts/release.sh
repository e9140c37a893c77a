# Lets go of a finished activation: its roots and run files. The log and state.json stay.
RUN=${RUN-} FENCE=${FENCE-}

main() {
  need_run "$RUN" && need_number "$FENCE"
  lock 20
  state_load || :
  check_fence "$FENCE"
  for unit in "$U-activate.service" "$U-revert.timer" "$U-revert.service" "$U-commit.service"; do
    ! unit_alive "$unit" || refuse "$R_BUSY" "$unit is active"
  done
  if [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_PHASE" = activating ] && [ "$S_MODE" = boot ]; then refuse "$R_BUSY" "a reboot of this run is under way"; fi
  rm -f "$ROOTS/$RUN-from" "$ROOTS/$RUN-to"
  systemctl stop "$U-lend.service" 2>/dev/null
  rm -rf "$D" "$D-lent"
  remove_guard
  done_json released
}
