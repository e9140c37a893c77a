# Profile and boot default become TO, the way back is disarmed. Done by a unit: it finishes even if nobody waits for it.
RUN=${RUN-} ATTEMPT=${ATTEMPT-} FENCE=${FENCE-} FROM=${FROM-} TO=${TO-} CONFIRM_TIMEOUT=${CONFIRM_TIMEOUT-60} MODE=${MODE-test}

main() {
  need_run "$RUN" && need_number "$ATTEMPT" && need_number "$FENCE" && need_system "$FROM" && need_system "$TO"
  lock 150
  state_load || refuse "$R_UNKNOWN" "this host took part in no activation"
  check_fence "$FENCE"
  mine && [ "$S_TO" = "$TO" ] || refuse "$R_UNKNOWN" "the last activation here was attempt $S_ATTEMPT of $S_ROLLOUT"
  case $S_PHASE in
    committed)
      disarm
      done_json already
      exit 0
      ;;
    reverting | reverted | revert-failed) refuse "$R_WENT_BACK" "the host went back to $S_FROM (${S_REASON:-unknown})" ;;
    activating) refuse "$R_BUSY" "the activation has not ended" ;;
  esac
  current=$(link /run/current-system)
  [ "$current" = "$TO" ] || refuse "$R_MOVED" "this host runs $current, not $TO"
  prepare_run && write_program finish "$D/finish.sh" || refuse "$R_DISK" "cannot write $D"
  S_FENCE=$FENCE
  state_write || refuse "$R_DISK" "cannot write $STATE"
  unlock
  unit_alive "$U-commit.service" || start_unit "$U-commit" "$D/finish.sh" || refuse "$R_FAILED" "the commit unit could not be started"
  while unit_alive "$U-commit.service"; do sleep 0.2 2>/dev/null || sleep 1; done
  state_load
  case $S_PHASE in
    committed) done_json committed ;;
    reverting | reverted | revert-failed) refuse "$R_WENT_BACK" "the host went back to $S_FROM (${S_REASON:-unknown})" ;;
    *) refuse "$R_FAILED" "the commit failed: $(grep -v '^macula-fleet: commit' "$LOG" | tail -n 1)" ;;
  esac
}
