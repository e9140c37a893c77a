# What there is to say about a failed activation: saved before the revert, or as it is now.
RUN=${RUN-} FROM=${FROM-} TO=${TO-}

main() {
  need_run "$RUN" && need_system "$FROM" && need_system "$TO"
  # shellcheck disable=SC2034 # as the units of other scripts see it
  IGNORE_UNITS=''
  [ -f "$LOG_DIR/$RUN.failed" ] || { [ -d "$LOG_DIR" ] && save_evidence; }
  printf '{"schema":1,"failedUnits":%s,' "$(tail -n 100 "$LOG_DIR/$RUN.failed" 2>/dev/null | json_lines)"
  printf '"log":%s,' "$(tail -n 100 "$LOG" 2>/dev/null | json_lines)"
  printf '"journal":%s,' "$(tail -n 100 "$LOG_DIR/$RUN.journal" 2>/dev/null | json_lines)"
  diff=$(nix --extra-experimental-features nix-command store diff-closures "$FROM" "$TO" 2>/dev/null | sed 's/\x1b\[[0-9;]*m//g' | head -n 200)
  printf '"closureDiff":%s}\n' "$(printf '%s\n' "$diff" | json_lines)"
}
