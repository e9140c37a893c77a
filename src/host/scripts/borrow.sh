# Takes what this host lacks from a neighbour that offers it (`lend`). HASHES: one `PATH HASH` a line, dependencies first.
# The neighbour is believed only as far as these go: they come from where the systems were built.
ADDRESS=${ADDRESS-} PORT=${PORT-} TOKEN=${TOKEN-} HASHES=${HASHES-}

main() {
  need_number "$PORT"
  case $ADDRESS in '' | *[!0-9.]*) refuse "$R_USAGE" "not an address: $ADDRESS" ;; esac
  case $TOKEN in '' | *[!0-9a-f]*) refuse "$R_USAGE" "not a token" ;; esac
  command -v curl > /dev/null || refuse "$R_UNSUITABLE" "curl was not found"
  paths=$(printf '%s\n' "$HASHES" | sed -n 's/ .*//p')
  # Not in argv: whoever lists processes here must not take it instead.
  printf 'url = "http://%s:%s/%s"\n' "$ADDRESS" "$PORT" "$TOKEN" |
    curl --config - --fail --silent --noproxy '*' --connect-timeout 5 --speed-limit 100 --speed-time 15 \
      --retry 3 --retry-delay 1 --retry-max-time 10 --retry-connrefused |
    nix-store --import > /dev/null 2>&1 || :
  # shellcheck disable=SC2086 # one word per path
  found=$(nix-store --query --hash $paths 2>/dev/null) || refuse "$R_INCOMPLETE" "$ADDRESS did not bring everything"
  if [ "$found" = "$(printf '%s\n' "$HASHES" | sed -n 's/.* //p')" ]; then
    done_json borrowed
    return
  fi
  # shellcheck disable=SC2086 # one word per path
  nix-store --delete $paths > /dev/null 2>&1 || :
  refuse "$R_ALIEN" "$ADDRESS has other content under the same names"
}
