# Something accepts connections at HOST PORT.
check_tcp() {
  where="$(opt HOST):$(opt PORT)"
  ! connects "$(opt HOST)" "$(opt PORT)" || verdict ok "$where accepts connections"
  verdict failed "$where does not accept connections"
}
