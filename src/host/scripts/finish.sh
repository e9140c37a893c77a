# The commit itself. Holds the lock throughout, so that the timer either sees it done or not begun.
say() { printf 'macula-fleet: commit: %s\n' "$*"; }

main() {
  lock 150
  state_load && mine && [ "$S_PHASE" = activated ] && [ "$(link /run/current-system)" = "$TO" ] || exit 1
  before=$(system_link $PROFILE)
  # Its entry for one boot has done its work; a menu written with both would make that entry the default.
  [ "$S_MODE" = test ] || remove_side_entry
  if nix-env -p $PROFILE --set "$TO" < /dev/null 9>&- && switch_to "$TO" boot; then
    S_PHASE=committed S_BOOT=$(boot_id)
    if state_write; then
      disarm
      mkdir -p "$ROOTS"
      [ -z "$before" ] || [ "$before" = "$TO" ] || ln -sfn "$before" "$ROOTS/previous-healthy"
      ln -sfn "$TO" "$ROOTS/last-healthy"
      [ "$S_MODE" = test ] || remove_guard
      say "profile and boot default are $TO"
      exit 0
    fi
  fi
  say "failed; profile and boot default stay ${before:-$FROM}"
  nix-env -p $PROFILE --set "${before:-$FROM}" < /dev/null 9>&-
  switch_to "$FROM" boot
  exit 1
}
