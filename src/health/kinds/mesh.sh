# Enough mesh peers, counted by COMMAND or at URL (a number, or JSON with FIELD), and one of BOOTSTRAP reachable.
check_mesh() {
  if [ -n "$(opt COMMAND)" ]; then
    said=$(timeout "$(opt TIMEOUT)" sh -c "$(opt COMMAND)" < /dev/null 2>&1) || verdict failed "$(first_line "$said")"
  elif [ -n "$(opt URL)" ]; then
    said=$(curl -sSf --max-time "$(opt TIMEOUT)" "$(opt URL)" 2>&1) || verdict failed "$(first_line "$said")"
  else
    said=''
  fi
  count=$said
  case $said in
    *'{'*)
      body=$(printf '%s' "$said" | tr -d '\n')
      count=$(printf '%s' "$body" | sed -n "s/.*\"$(opt FIELD)\"[[:space:]]*:[[:space:]]*\\([0-9][0-9]*\\).*/\\1/p")
      # A list of peers instead of their number.
      [ -n "$count" ] || count=$(printf '%s' "$body" | sed -n "s/.*\"$(opt FIELD)\"[[:space:]]*:[[:space:]]*\\[\\([^]]*\\)\\].*/[\\1/p" |
        sed 's/[^,[]*[^, []/x/g' | awk -F, '{ print ($0 ~ /x/) ? NF : 0 }')
      ;;
  esac
  if [ -n "$(opt COMMAND)$(opt URL)" ]; then
    count=$(printf '%s' "$count" | tr -d ' \n')
    case $count in '' | *[!0-9]*) verdict failed "no number of peers in: $(first_line "$said")" ;; esac
    need=$(opt MINPEERS)
    if [ -z "$RUN" ]; then
      mkdir -p "$STATE_DIR/baseline" && printf '%s\n' "$count" > "$(baseline_file)" 2>/dev/null
    elif [ -n "$(opt PERCENT)" ] && [ -f "$(baseline_file)" ]; then
      need=$((($(cat "$(baseline_file)") * $(opt PERCENT) + 99) / 100))
    fi
    [ "$count" -ge "$need" ] || verdict failed "$count of at least $need peers"
  fi
  if [ -n "$(opt BOOTSTRAP)" ]; then
    up=''
    for peer in $(opt BOOTSTRAP); do
      if connects "${peer%:*}" "${peer##*:}"; then
        up=$peer
        break
      fi
    done
    [ -n "$up" ] || verdict failed "no bootstrap peer can be reached"
  fi
  verdict ok "${count:-bootstrap reachable}${count:+ peers}"
}
