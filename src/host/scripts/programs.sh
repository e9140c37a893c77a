# Programs that run in units of their own, with the parameters of this activation in front. Expects every parameter.
program_parameters() {
  printf "RUN=%s\nATTEMPT=%s\nFENCE=%s\nFROM=%s\nTO=%s\nMODE=%s\nCONFIRM_TIMEOUT=%s\nMAY_REBOOT=%s\nIGNORE_UNITS='%s'\n" \
    "$RUN" "$ATTEMPT" "$FENCE" "$FROM" "$TO" "$MODE" "$CONFIRM_TIMEOUT" "${MAY_REBOOT-}" \
    "$(printf '%s' "${IGNORE_UNITS-}" | sed 's/[^A-Za-z0-9_@:.\\-]//g')"
}

write_program() { # NAME FILE
  { program_parameters && "program_$1"; } > "$2.new" && mv -f "$2.new" "$2"
}
