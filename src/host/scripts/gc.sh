# Deletes old generations but the KEEP newest, then what nothing refers to. Never what a rollback would go to:
# running, booted, last and previous healthy systems, and both ends of every activation not yet released.
KEEP=${KEEP-5}
RUN=none

main() {
  need_number "$KEEP"
  lock 20
  others=$(other_runs | head -n 1)
  [ -z "$others" ] || refuse "$R_BUSY" "$others is active"
  state_load || :
  precious=$(
    link /run/current-system; link /run/booted-system; link $PROFILE; boot_default
    for root in "$ROOTS"/*; do link "$root"; done
    printf '%s\n' "$S_FROM" "$S_TO"
  )
  before=$(df -Pk /nix/store | sed -n '2p' | awk '{ print $3 }')
  mkdir -p "$ROOTS"
  [ -z "$S_FROM" ] || [ -e "$ROOTS/previous-healthy" ] || ln -sfn "$S_FROM" "$ROOTS/previous-healthy"
  kept=0 deleted=''
  for number in $(ls -d $PROFILE-*-link 2>/dev/null | sed -n 's/.*system-\([0-9]*\)-link$/\1/p' | sort -rn); do
    kept=$((kept + 1))
    [ "$kept" -gt "$KEEP" ] || continue
    if printf '%s\n' "$precious" | grep -qxF -- "$(link "$PROFILE-$number-link")"; then continue; fi
    deleted="$deleted $number"
  done
  # shellcheck disable=SC2086 # a list of numbers
  [ -z "$deleted" ] || nix-env -p $PROFILE --delete-generations $deleted > /dev/null 2>&1 || refuse "$R_FAILED" "nix-env could not delete generations$deleted"
  said=$(nix-store --gc 2>&1) || refuse "$R_FAILED" "nix-store --gc: $(printf '%s\n' "$said" | tail -n 1)"
  after=$(df -Pk /nix/store | sed -n '2p' | awk '{ print $3 }')
  # shellcheck disable=SC2086
  printf '{"schema":1,"generations":%s,"freed":%s}\n' "$(printf '%s\n' $deleted | json_lines)" "$((before > after ? before - after : 0))"
}
