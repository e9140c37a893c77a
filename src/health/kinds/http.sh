# URL answers with one of the statuses EXPECT and, when BODY is given, with that text in its body.
check_http() {
  if command -v curl > /dev/null; then
    set -- -sS -L --max-time "$(opt TIMEOUT)" -w '\n%{http_code}'
    [ -z "$(opt INSECURE)" ] || set -- "$@" -k
    answer=$(curl "$@" "$(opt URL)" 2>&1) || verdict failed "$(first_line "$answer")"
    status=$(printf '%s\n' "$answer" | tail -n 1)
  elif command -v wget > /dev/null; then
    set -- -q -S -O - -T "$(opt TIMEOUT)"
    [ -z "$(opt INSECURE)" ] || set -- "$@" --no-check-certificate
    answer=$(wget "$@" "$(opt URL)" 2>&1)
    status=$(printf '%s\n' "$answer" | sed -n 's#^ *HTTP/[0-9.]* \([0-9]*\).*#\1#p' | tail -n 1)
    [ -n "$status" ] || verdict failed "no answer from $(opt URL)"
  else
    verdict failed "neither curl nor wget was found"
  fi
  case " $(opt EXPECT) " in *" $status "*) ;; *) verdict failed "$(opt URL) answered $status, expected $(opt EXPECT)" ;; esac
  if [ -n "$(opt BODY)" ]; then
    printf '%s\n' "$answer" | grep -qF -- "$(opt BODY)" || verdict failed "$(opt URL) answered $status without the expected text"
  fi
  verdict ok "$(opt URL) answered $status"
}
