# hold, unhold, lock, unlock: a note that keeps activations away. KIND hold|lock, ACTION set|clear; UNTIL in seconds, 0: no end.
KIND=${KIND-} ACTION=${ACTION-} BY=${BY-} REASON=${REASON-} UNTIL=${UNTIL-0}

main() {
  case $KIND in hold | lock) ;; *) refuse "$R_USAGE" "not a kind: $KIND" ;; esac
  need_number "$UNTIL"
  file=$STATE_DIR/$KIND.json
  if [ "$ACTION" = clear ]; then
    rm -f "$file"
    done_json cleared
    exit 0
  fi
  [ "$ACTION" = set ] || refuse "$R_USAGE" "not an action: $ACTION"
  lock 20
  if [ "$KIND" = lock ] && [ -f "$file" ] && [ "$(note_field "$file" by)" != "$BY" ]; then
    refuse "$R_HELD" "locked by $(note_field "$file" by): $(note_field "$file" reason)"
  fi
  mkdir -p "$STATE_DIR" && {
    printf '{\n  "by": %s,\n  "reason": %s,\n' "$(json_str "$BY")" "$(json_str "$REASON")"
    if [ "$KIND" = hold ]; then printf '  "until": %s\n}\n' "$UNTIL"; else printf '  "since": %s\n}\n' "$(date +%s)"; fi
  } > "$file.new" && mv -f "$file.new" "$file" || refuse "$R_DISK" "cannot write $file"
  done_json set
}
