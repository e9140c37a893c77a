# Starts the way back, also after a commit, and returns. REASON: one word.
RUN=${RUN-} ATTEMPT=${ATTEMPT-} FENCE=${FENCE-} FROM=${FROM-} TO=${TO-} REASON=${REASON-operator}
CONFIRM_TIMEOUT=${CONFIRM_TIMEOUT-60} MODE=${MODE-test}

main() {
  need_run "$RUN" && need_number "$ATTEMPT" && need_number "$FENCE" && need_number "$CONFIRM_TIMEOUT"
  need_system "$FROM" && need_system "$TO"
  case $REASON in '' | *[!a-z-]*) refuse "$R_USAGE" "not a reason: $REASON" ;; esac
  lock 150
  state_load || refuse "$R_UNKNOWN" "this host took part in no activation"
  check_fence "$FENCE"
  mine || refuse "$R_UNKNOWN" "the last activation here was attempt $S_ATTEMPT of $S_ROLLOUT"
  [ "$S_FROM" = "$FROM" ] && [ "$S_TO" = "$TO" ] || refuse "$R_UNKNOWN" "attempt $ATTEMPT of $RUN went from $S_FROM to $S_TO"
  if [ "$S_PHASE" = reverted ] || { [ "$S_PHASE" = reverting ] && unit_alive "$U-revert.service"; }; then
    done_json already
    exit 0
  fi
  nix-store --check-validity "$FROM" 2>/dev/null && [ -x "$FROM/bin/switch-to-configuration" ] || refuse "$R_INCOMPLETE" "$FROM is not complete in this store"
  prepare_run && write_program restore "$D/restore.sh" && write_program boot "$D/boot.sh" || refuse "$R_DISK" "cannot write $D"
  S_FENCE=$FENCE S_PHASE=reverting S_REASON=$REASON S_BOOT=$(boot_id)
  state_write || refuse "$R_DISK" "cannot write $STATE"
  go_back "$REASON" || refuse "$R_FAILED" "the revert unit could not be started"
  done_json started
}
