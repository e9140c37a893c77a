# The host's memory of its last activation (state.json) and the lock around it. One field per line: sed and sh read it.
lock() { # SECONDS
  mkdir -p "$RUN_DIR" && chmod 0700 "$RUN_DIR" || refuse "$R_DISK" "cannot write $RUN_DIR"
  exec 9> "$RUN_DIR/lock"
  flock -w "$1" 9 || refuse "$R_BUSY" "another operation of macula-fleet is under way here"
}
unlock() { exec 9>&-; }

state_load() {
  S_ROLLOUT='' S_ATTEMPT=0 S_FENCE=0 S_FROM='' S_TO='' S_MODE=test S_PHASE='' S_RC=null S_REASON='' S_BOOT='' S_BASELINE='[]'
  [ -f "$STATE" ] || return 1
  while IFS= read -r line; do
    case $line in *'": '*) ;; *) continue ;; esac
    key=${line%%'": '*}
    key=${key#*'"'}
    value=${line#*'": '}
    value=${value%,}
    case $value in '"'*) value=${value#'"'} value=${value%'"'} ;; esac
    case $key in
      rollout) S_ROLLOUT=$value ;;
      attempt) S_ATTEMPT=$value ;;
      fence) S_FENCE=$value ;;
      from) S_FROM=$value ;;
      to) S_TO=$value ;;
      mode) S_MODE=$value ;;
      phase) S_PHASE=$value ;;
      rc) S_RC=$value ;;
      reason) if [ "$value" = null ]; then S_REASON=''; else S_REASON=$value; fi ;;
      bootId) S_BOOT=$value ;;
      baselineFailed) S_BASELINE=$value ;;
    esac
  done < "$STATE"
}

# Written beside, synced, renamed: a power cut leaves the old or the new file, never half of one.
state_write() {
  mkdir -p "$STATE_DIR" || return 1
  tmp=$STATE.new
  {
    printf '{\n  "schema": 1,\n  "rollout": "%s",\n  "attempt": %s,\n  "fence": %s,\n' "$S_ROLLOUT" "$S_ATTEMPT" "$S_FENCE"
    printf '  "from": "%s",\n  "to": "%s",\n  "mode": "%s",\n  "phase": "%s",\n' "$S_FROM" "$S_TO" "$S_MODE" "$S_PHASE"
    printf '  "rc": %s,\n' "$S_RC"
    if [ -n "$S_REASON" ]; then printf '  "reason": "%s",\n' "$S_REASON"; else printf '  "reason": null,\n'; fi
    printf '  "bootId": "%s",\n  "baselineFailed": %s\n}\n' "$S_BOOT" "$S_BASELINE"
  } > "$tmp" || return 1
  sync "$tmp" 2>/dev/null || sync
  mv -f "$tmp" "$STATE" || return 1
  sync "$STATE_DIR" 2>/dev/null || sync
}

# Unit names hold no quotes or commas, so the array is one line of words.
baseline_units() {
  printf '%s\n' "$S_BASELINE" | sed -e 's/^\[//' -e 's/\]$//' -e 's/\\\\/\\/g' | tr ',' '\n' | sed -e 's/^"//' -e 's/"$//' -e '/^$/d'
}

# Is the state still about this very activation?
mine() { [ "$S_ROLLOUT" = "$RUN" ] && [ "$S_ATTEMPT" = "$ATTEMPT" ]; }

check_fence() { [ "$1" -ge "$S_FENCE" ] || refuse "$R_FENCED" "a controller with fence $S_FENCE was here; yours is $1"; }

note_field() { # FILE FIELD
  sed -n "s/^ *\"$2\": \"\\{0,1\\}\\(.*[^\",]\\)\"\\{0,1\\},\\{0,1\\}\$/\\1/p" "$1" 2>/dev/null | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'
}

# A hold whose end has passed does not count.
held() {
  [ -f "$STATE_DIR/hold.json" ] || return 1
  until=$(json_num "$(note_field "$STATE_DIR/hold.json" until)" 0)
  [ "$until" -eq 0 ] || [ "$(date +%s)" -lt "$until" ]
}

check_holds() {
  ! held || refuse "$R_HELD" "held by $(note_field "$STATE_DIR/hold.json" by): $(note_field "$STATE_DIR/hold.json" reason)"
  [ ! -f "$STATE_DIR/lock.json" ] ||
    refuse "$R_HELD" "locked by $(note_field "$STATE_DIR/lock.json" by): $(note_field "$STATE_DIR/lock.json" reason)"
}
