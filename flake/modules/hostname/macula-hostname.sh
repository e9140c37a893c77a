# Sets the host name to macula-<mac> of the first physical network card, in the order of their addresses. Of the card it
# was named after before, as long as that is there: a card more, or one that comes late, does not rename a machine.
# SYS, STATE_DIRECTORY, MACHINE_ID and WAIT are the machine's except in tests.
set -e
sys=${SYS:-/sys} state=${STATE_DIRECTORY:?}/card

cards() {
  for card in "$sys"/class/net/*; do
    if [ -e "$card/device" ]; then tr -d ':' <"$card/address"; fi
  done | grep -v '^0*$' | sort
}

# USB cards need a moment.
wait=${WAIT:-30}
while [ -z "$(cards)" ] && [ "$wait" -gt 0 ]; do
  sleep 1
  wait=$((wait - 1))
done

last=$(cat "$state" 2>/dev/null || true)
if [ -n "$last" ] && { [ -z "$(cards)" ] || cards | grep -qx "$last"; }; then
  name=$last
else
  name=$(cards | head -n 1)
  # No card: the machine id is as unique, only longer-winded.
  if [ -n "$name" ]; then echo "$name" >"$state"; else name=$(cut -c1-12 "${MACHINE_ID:-/etc/machine-id}"); fi
fi
hostname "macula-$name"
echo "macula-$name"
