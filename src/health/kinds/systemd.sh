# No unit has failed since the baseline, but for the ignored ones; the UNITS named are active.
check_systemd() {
  bad=$(failed_units | while IFS= read -r unit; do
    printf '%s\n%s\n' "$BASELINE" "$(opt IGNORE)" | grep -qxF -- "$unit" || printf '%s ' "$unit"
  done)
  [ -z "$bad" ] || verdict failed "failed units: ${bad% }"
  for unit in $(opt UNITS); do
    state=$(systemctl show -p ActiveState --value "$unit" 2>/dev/null)
    case $state in
      active) ;;
      activating | reloading) verdict retry "$unit is $state" ;;
      *) verdict failed "$unit is ${state:-unknown}" ;;
    esac
  done
  verdict ok "no newly failed units"
}
