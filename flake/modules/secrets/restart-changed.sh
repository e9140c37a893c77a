# Part of every activation: units whose secret was delivered anew since the last one restart with this activation, so
# that its health gate judges them. `changed-secrets` is written by the tool's `deliver`; a boot knows nothing of it.
macula_changed=${MACULA_CHANGED:-/run/macula-fleet/changed-secrets}
if [ -s "$macula_changed" ]; then
  while read -r macula_path macula_units; do
    if grep -qxF -- "$macula_path" "$macula_changed"; then
      printf '%s\n' "$macula_units" | tr -s ' ' '\n'
    fi
  done <"${MACULA_UNITS:-/etc/macula/secret-units}" >>"${MACULA_RESTART:-/run/nixos/activation-restart-list}"
  rm -f "$macula_changed"
fi
