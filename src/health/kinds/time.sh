# The clock is kept in step by NTP.
check_time() {
  synced=$(timedatectl show -p NTPSynchronized --value 2>/dev/null)
  if [ "$synced" = yes ] || [ -e /run/systemd/timesync/synchronized ]; then verdict ok "synchronized"; fi
  if command -v chronyc > /dev/null && chronyc -n tracking 2>/dev/null | grep -q '^Leap status *: Normal'; then verdict ok "synchronized by chrony"; fi
  # After a switch it takes a moment until the first answer.
  verdict retry "the clock is not synchronized"
}
