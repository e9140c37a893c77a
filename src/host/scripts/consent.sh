# What the owner of this host has to say: programs in consent.d, asked before anything is changed. None there: consent.
CONSENT_DIR=/etc/macula-fleet/consent.d
CONSENT_SECONDS=10 # each

# Runs one program, bounded: neither what it leaves running nor a flood of words may keep anybody. Sets ANSWER and SAID.
ask_owner() { # PROGRAM SECONDS
  SAID=$({
    (
      # Its own business again: what we ignore, it would inherit.
      trap - HUP PIPE
      cd /
      export MACULA_FROM="$FROM" MACULA_TO="$TO" MACULA_MODE="$MODE"
      exec timeout -k 2 "$2" "$1" < /dev/null 9>&-
    )
    echo "$?" > "$RUN_DIR/consent"
  } 2>&1 | timeout "$(($2 + 3))" sh -c 'dd bs=1 count=2000 2>/dev/null; exec cat > /dev/null')
  ANSWER=$(cat "$RUN_DIR/consent" 2>/dev/null)
  rm -f "$RUN_DIR/consent"
}

words() { tr '\001-\011\013-\037\177' ' ' | sed -e 's/^ *//' -e 's/ *$//' -e '/^$/d' | cut -c 1-200; }

not_consented() { # PROGRAM REASON SECONDS-FROM-NOW SENTENCE
  printf '{"schema":1,"by":%s,"reason":%s,"askAgainIn":%s}\n' "$(json_str "$1")" "$(json_str "$2")" "$3"
  refuse "$R_NOT_NOW" "$4"
}

# Exit 21: not now, with a first line that says why and `until=` a time. What fails has not consented.
judge_owner() { # NAME SECONDS
  case $ANSWER in
    0) return 0 ;;
    21) ;;
    124 | 137) not_consented "$1" "no answer" null "its owner's program $1 gave no answer within $2 s" ;;
    *)
      why=$(printf '%s\n' "$SAID" | words | tail -n 1)
      not_consented "$1" "failed" null "its owner's program $1 failed (exit ${ANSWER:-unknown})${why:+: $why}"
      ;;
  esac
  reason=$(printf '%s\n' "$SAID" | words | sed '/^until=/d' | head -n 1)
  until=$(printf '%s\n' "$SAID" | words | sed -n 's/^until=//p' | head -n 1)
  sentence="not now: ${reason:-no reason given} ($1)"
  [ -n "$until" ] || not_consented "$1" "$reason" null "$sentence"
  # Seconds since the epoch, or whatever `date` takes for a time, by this host's clock and zone.
  case $until in *[!0-9]*) at=$until ;; *) at=@$until ;; esac
  at=$(date -d "$at" +%s 2>/dev/null) || not_consented "$1" "$reason" null "$sentence; until=$until is no time"
  left=$((at - $(date +%s)))
  [ "$left" -gt 0 ] || not_consented "$1" "$reason" null "$sentence"
  not_consented "$1" "$reason" "$left" "$sentence, until $(date -d "@$at" '+%Y-%m-%d %H:%M %Z')"
}

# True if anybody was asked. A word to activate that left no trace by then counts as never begun (`lateWordMs`): all of
# them together have no longer, or the host could change when nobody expects it any more.
ask_owners() { # BEGAN: when the word arrived, by uptime
  asked=1
  all=$((CONFIRM_TIMEOUT / 4))
  [ "$all" -le 30 ] || all=30
  [ "$all" -ge 2 ] || all=2
  ends=$(($1 + all))
  for program in "$CONSENT_DIR"/*; do
    name=${program##*/}
    case $name in *'~') continue ;; esac
    if [ -L "$program" ] && [ ! -e "$program" ]; then
      not_consented "$name" "failed" null "its owner's program $name is a link to nothing"
    fi
    [ -f "$program" ] && [ -x "$program" ] || continue
    asked=0
    limit=$((ends - $(uptime_s)))
    [ "$limit" -gt 0 ] || not_consented "$name" "no answer" null "there was no time left to ask its owner's program $name"
    [ "$limit" -le "$CONSENT_SECONDS" ] || limit=$CONSENT_SECONDS
    ask_owner "$program" "$limit"
    judge_owner "$name" "$limit"
  done
  return "$asked"
}
