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
