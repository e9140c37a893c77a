# Secrets: files that must be here and never in the store. SECRET_COUNT, then SECRET_<n>_PATH, _MODE and _CONTENT.
# Contents are compared here, and are nowhere but in this script's stdin: no argument, no output, no log. With RESTART
# the units of what changed restart now; without, the next activation does that (the flake reads `changed-secrets`).
FENCE=${FENCE-} SECRET_COUNT=${SECRET_COUNT-0} RESTART=${RESTART-}
CHANGED=$RUN_DIR/changed-secrets
# `PATH UNIT…` a line, written by the flake.
UNITS_OF=/etc/macula/secret-units

put() { # PATH MODE CONTENT: 0 done, 1 not possible
  mkdir -p "${1%/*}" && [ ! -d "$1" ] || return 1
  [ "${1%/*}" != "$STATE_DIR/secrets" ] || chmod 0711 "$STATE_DIR/secrets"
  new=$1.macula-new
  rm -f "$new"
  # noclobber: never through a link that somebody put there.
  (umask 077 && set -C && printf '%s' "$3" > "$new") 2>/dev/null || { rm -f "$new"; return 1; }
  if cmp -s "$new" "$1"; then
    rm -f "$new"
    chmod "$2" "$1"
    return
  fi
  # Before it is there: if this is cut short, a unit restarts once too often rather than never.
  printf '%s\n' "$1" >> "$CHANGED"
  owner=$(stat -c %u:%g "$1" 2>/dev/null) || owner=0:0
  chown "$owner" "$new" && chmod "$2" "$new" && { sync "$new" 2>/dev/null || sync; } && mv -f "$new" "$1" || { rm -f "$new"; return 1; }
}

restart_units() {
  units=$(while read -r file wanted; do
    if grep -qxF -- "$file" "$CHANGED"; then printf '%s\n' "$wanted"; fi
  done < "$UNITS_OF" | tr -s ' ' '\n' | sort -u)
  # shellcheck disable=SC2086 # one word per unit
  [ -z "$units" ] || systemctl try-restart $units || refuse "$R_FAILED" "does not run with its new secret: $(printf '%s' "$units" | tr '\n' ' ')"
}

main() {
  need_number "$FENCE" && need_number "$SECRET_COUNT"
  lock 20
  state_load || :
  [ "$FENCE" -eq 0 ] || check_fence "$FENCE"
  n=0 done_now=''
  while [ "$n" -lt "$SECRET_COUNT" ]; do
    n=$((n + 1)) path='' mode='' content=''
    eval "path=\$SECRET_${n}_PATH mode=\$SECRET_${n}_MODE content=\$SECRET_${n}_CONTENT"
    case $path in '' | */../* | */.. | */) refuse "$R_USAGE" "not a file: $path" ;; /*) ;; *) refuse "$R_USAGE" "not a file: $path" ;; esac
    case $mode in '' | *[!0-7]*) refuse "$R_USAGE" "not a mode: $mode" ;; esac
    before=$(wc -l 2>/dev/null < "$CHANGED" || :)
    put "$path" "$mode" "$content" || refuse "$R_DISK" "cannot write $path"
    [ "$before" = "$(wc -l 2>/dev/null < "$CHANGED" || :)" ] || done_now="$done_now$path
"
  done
  if [ -n "$RESTART" ] && [ -s "$CHANGED" ]; then
    [ ! -r "$UNITS_OF" ] || restart_units
    rm -f "$CHANGED"
  fi
  printf '{"schema":1,"changed":%s}\n' "$(printf '%s' "$done_now" | json_lines)"
}
