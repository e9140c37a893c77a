# Offers PATHS to neighbours for LEASE seconds: an export stream at http://ADDRESS:PORT/TOKEN of the site's own network.
# Whoever takes it checks it (`borrow`); TOKEN only keeps strangers out.
RUN=${RUN-} TOKEN=${TOKEN-} PORT=${PORT-} LEASE=${LEASE-} PATHS=${PATHS-}

main() {
  need_run "$RUN" && need_number "$PORT" && need_number "$LEASE"
  case $TOKEN in '' | *[!0-9a-f]*) refuse "$R_USAGE" "not a token" ;; esac
  activate=$(command -v systemd-socket-activate) || refuse "$R_UNSUITABLE" "systemd-socket-activate was not found"
  # The address of the network that its default route is on: nothing is sent to find out.
  address=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  [ -n "$address" ] || refuse "$R_UNSUITABLE" "it has no address on a network of its own"
  lent=$RUN_DIR/$RUN-lent
  mkdir -p "$lent" && chmod 0700 "$RUN_DIR" "$lent" || refuse "$R_DISK" "cannot write $RUN_DIR"
  printf '%s\n' "$PATHS" | sed '/^$/d' > "$lent/$TOKEN" || refuse "$R_DISK" "cannot write $lent"
  unit=macula-fleet-$RUN-lend
  # While it listens its program stays as it is: a shell may be reading it.
  if [ "$(systemctl is-active "$unit.service" 2>/dev/null)" != active ]; then
    { printf "PATH='%s' LENT='%s'\nexport PATH\n" "$PATH" "$lent" && answering; } > "$lent/answer" ||
      refuse "$R_DISK" "cannot write $lent"
    systemd-run --quiet --collect --unit="$unit" --property=RuntimeMaxSec="$LEASE" --property=Nice=10 \
      "$activate" --accept --inetd --listen="$PORT" "$(command -v sh)" "$lent/answer" > /dev/null 2>&1 ||
      refuse "$R_BUSY" "port $PORT cannot be listened on"
  fi
  printf '{"schema":1,"address":%s}\n' "$(json_str "$address")"
}

# One connection: stdin and stdout are the socket.
answering() {
  cat << 'ANSWER'
CR=$(printf '\r')
say() { printf 'HTTP/1.1 %s\r\nConnection: close\r\n\r\n' "$1"; }
IFS=' ' read -r method target _ || exit 0
while IFS= read -r line && [ -n "${line%"$CR"}" ]; do :; done
token=${target#/}
case $method/$token in
  GET/ | GET/*[!0-9a-f]*) say '404 Not Found' ; exit 0 ;;
  GET/*) ;;
  *) say '405 Method Not Allowed' ; exit 0 ;;
esac
[ -f "$LENT/$token" ] || { say '404 Not Found' ; exit 0; }
say '200 OK'
exec nix-store --export $(cat "$LENT/$token")
ANSWER
}
