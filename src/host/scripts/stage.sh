# TO is complete and a system; it and FROM stay in the store until `release`.
RUN=${RUN-} FENCE=${FENCE-} FROM=${FROM-} TO=${TO-}

main() {
  need_run "$RUN" && need_number "$FENCE" && need_system "$TO"
  [ -z "$FROM" ] || need_system "$FROM"
  state_load || :
  check_fence "$FENCE"
  nix-store --check-validity "$TO" 2>/dev/null || refuse "$R_INCOMPLETE" "$TO is not complete in this store"
  [ -e "$TO/nixos-version" ] && [ -x "$TO/bin/switch-to-configuration" ] || refuse "$R_UNSUITABLE" "$TO is not a NixOS system"
  mkdir -p "$ROOTS" && ln -sfn "$TO" "$ROOTS/$RUN-to" || refuse "$R_DISK" "cannot write $ROOTS"
  [ -z "$FROM" ] || ln -sfn "$FROM" "$ROOTS/$RUN-from" || refuse "$R_DISK" "cannot write $ROOTS"
  booted=$(system_link /run/booted-system)
  printf '{"schema":1,"did":"staged","rebootNeeded":%s}\n' "$(json_bool "$([ -z "$booted" ] || ! differ_in_kernel "$booted" "$TO" || echo 1)")"
}
