#!/bin/sh
# In front of nixos-anywhere: a phase for which a file FAIL_DIR/HOST-PHASE is there fails once, after the real one has
# done its work (`after`) or before (`before`); arguments and environment are kept for the leak test.
set -u
phase='' to='' previous=''
for word in "$@"; do
  [ "$previous" != --phases ] || phase=$word
  previous=$word to=$word
done
host=${to#*@} host=${host%%.*}
{ printf '%s\n' "$@"; env; } >> "$FAIL_DIR/seen"
mark=$FAIL_DIR/$host-$phase
when=$(cat "$mark" 2> /dev/null)
rm -f "$mark"
echo "$host $phase" >> "$FAIL_DIR/order"
if [ "$when" = before ]; then
  echo "### forced failure before $phase ###"
  exit 1
fi
"$NIXOS_ANYWHERE" "$@" || exit
[ "$when" != after ] || { echo "ssh: connect to host $host port 22: Connection timed out"; exit 255; }
