# Something accepts connections at HOST PORT.
check_tcp() {
  where="$(opt HOST):$(opt PORT)"
  if command -v nc > /dev/null; then
    ! nc -z -w "$(opt TIMEOUT)" "$(opt HOST)" "$(opt PORT)" > /dev/null 2>&1 || verdict ok "$where accepts connections"
    verdict failed "$where does not accept connections"
  fi
  command -v curl > /dev/null || verdict failed "neither nc nor curl was found"
  # curl says how long connecting took; what is spoken there does not matter.
  took=$(curl -s -o /dev/null -w '%{time_connect}' --connect-timeout "$(opt TIMEOUT)" --max-time "$(opt TIMEOUT)" "http://$where/" 2>/dev/null)
  case $took in '' | 0.000000 | 0) verdict failed "$where does not accept connections" ;; esac
  verdict ok "$where accepts connections"
}
