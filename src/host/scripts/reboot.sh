# Restarts the machine unless a run of macula-fleet or somebody's switch is under way.
FENCE=${FENCE-0}
RUN=none

main() {
  need_number "$FENCE"
  lock 20
  state_load || :
  [ "$FENCE" -eq 0 ] || check_fence "$FENCE"
  others=$(other_runs | head -n 1)
  [ -z "$others" ] || refuse "$R_BUSY" "$others is active"
  if [ -e /run/nixos/switch-to-configuration.lock ] && ! flock -n /run/nixos/switch-to-configuration.lock true; then
    refuse "$R_BUSY" "somebody is switching this host"
  fi
  # Later, so that the answer still gets through.
  systemd-run --quiet --collect --no-ask-password --on-active=1 --timer-property=AccuracySec=100ms systemctl --no-block reboot < /dev/null 9>&- ||
    refuse "$R_FAILED" "the reboot could not be scheduled"
  done_json rebooting
}
