# Sets the host name to macula-<mac> of the first physical network card, in the order of their addresses.
# SYS is /sys except in tests.
sys=${SYS:-/sys}
mac=$(
  for card in "$sys"/class/net/*; do
    if [ -e "$card/device" ]; then tr -d ':' <"$card/address"; fi
  done | grep -v '^0*$' | sort | head -n 1
)
if [ -z "$mac" ]; then
  # No card yet: the machine id is as unique, only longer-winded.
  mac=$(cut -c1-12 "${MACHINE_ID:-/etc/machine-id}")
fi
hostname "macula-$mac"
echo "macula-$mac"
