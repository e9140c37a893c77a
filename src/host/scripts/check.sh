# Health checks, all at once. CHECK_COUNT, then per check CHECK_<n>_TYPE, _NAME, _TIMEOUT and its kind's options.
# Having been reached, the host also puts off its revert: RUN and FENCE say whose.
RUN=${RUN-} FENCE=${FENCE-0} CHECK_COUNT=${CHECK_COUNT-0} BASELINE=${BASELINE-}
N=0

opt() { eval "printf '%s' \"\${CHECK_${N}_$1-}\""; } # option of the current check
verdict() { # ok|failed|retry MESSAGE
  printf '{"name":%s,"type":%s,"status":"%s","message":%s}' "$(json_str "$(opt NAME)")" "$(json_str "$(opt TYPE)")" "$1" "$(json_str "$2")"
  exit 0
}
first_line() { printf '%s\n' "$1" | sed '/^ *$/d' | head -n 1 | cut -c1-200; }

connects() { # HOST PORT
  # Not every nc knows -z (busybox), and failing for that reason must not look like a closed port.
  if nc -h 2>&1 | grep -q -e '-[A-Za-z0-9]*z'; then
    nc -z -w "$(opt TIMEOUT)" "$1" "$2" > /dev/null 2>&1
  elif command -v curl > /dev/null; then
    # curl says how long connecting took; what is spoken there does not matter.
    took=$(curl -s -o /dev/null -w '%{time_connect}' --connect-timeout "$(opt TIMEOUT)" --max-time "$(opt TIMEOUT)" "http://$1:$2/" 2>/dev/null)
    case $took in '' | 0.000000 | 0) return 1 ;; esac
  else
    command -v nc > /dev/null || verdict failed "neither nc nor curl was found"
    nc -w "$(opt TIMEOUT)" "$1" "$2" < /dev/null > /dev/null 2>&1
  fi
}

# Measured while no activation is under way; what "80% of baseline" refers to.
baseline_file() { printf '%s/baseline/%s' "$STATE_DIR" "$(opt NAME | sed 's/[^A-Za-z0-9_.-]/_/g')"; }

contact() {
  lock 20
  state_load || :
  check_fence "$FENCE"
  if [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_BOOT" = "$(boot_id)" ] && [ -f "$D/confirm" ]; then
    case $S_PHASE in activating | activated) put_off "$(cat "$D/confirm")" ;; esac
  fi
  unlock
}

main() {
  need_number "$CHECK_COUNT" && need_number "$FENCE"
  if [ -n "$RUN" ]; then
    need_run "$RUN"
    contact
  fi
  work=$(mktemp -d) || refuse "$R_DISK" "no room for temporary files"
  trap 'rm -rf "$work"' EXIT
  while [ "$N" -lt "$CHECK_COUNT" ]; do
    N=$((N + 1))
    type=$(opt TYPE)
    case $type in *[!a-z0-9]* | '') refuse "$R_USAGE" "not a kind of check: $type" ;; esac
    command -v "check_$type" > /dev/null || refuse "$R_USAGE" "not a kind of check: $type"
    ("check_$type" > "$work/$N" 2> "$work/$N.err") &
  done
  wait
  printf '{"schema":1,"results":['
  N=0
  while [ "$N" -lt "$CHECK_COUNT" ]; do
    N=$((N + 1))
    [ "$N" -eq 1 ] || printf ','
    if [ -s "$work/$N" ]; then cat "$work/$N"; else
      (verdict failed "the check itself broke: $(first_line "$(cat "$work/$N.err")")")
    fi
  done
  printf ']}\n'
}
