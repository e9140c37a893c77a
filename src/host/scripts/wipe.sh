# Erases a whole disk of a machine that runs from its memory, reads it back, and switches the machine off.
# DISK: a name of it. SIZE: KiB, and SERIAL, as when it was chosen: another disk may have taken its name since.
SERIAL=${SERIAL-}

released() { # nothing on it is in use
  ! awk '{ print $1 }' /proc/mounts /proc/swaps | grep -q "^$1" || return 1
  for holder in "/sys/block/$2"/holders/* "/sys/block/$2/$2"*/holders/*; do
    [ ! -e "$holder" ] || return 1
  done
}

is_blank() { [ "$(tr -d '\000' < "$1" | head -c 1 | wc -c)" -eq 0 ]; }

main() {
  need_number "$SIZE"
  [ "$(sed -n 's/^VARIANT_ID=//p' /etc/os-release)" = installer ] ||
    refuse "$R_UNSUITABLE" "this system may be running from its disk: only an installer erases one"
  device=$(readlink -f "$DISK") || device=''
  name=${device##*/}
  [ -b "$device" ] && [ -e "/sys/block/$name/size" ] || refuse "$R_UNKNOWN" "there is no disk $DISK"
  [ "$(($(cat "/sys/block/$name/size") / 2))" -eq "$SIZE" ] || refuse "$R_MOVED" "$DISK has another size than when it was chosen"
  if [ -n "$SERIAL" ]; then
    found=$(disk_serial "$name")
    [ "$found" = "$SERIAL" ] || refuse "$R_MOVED" "$DISK has the serial ${found:-none}, not $SERIAL"
  fi
  released "$device" "$name" || refuse "$R_BUSY" "something on $DISK is in use"

  did=discarded
  # A disk may forget without giving back zeros, or not be able to: then every block is written.
  if ! blkdiscard -f "$device" > /dev/null 2>&1 || ! is_blank "$device"; then
    did=overwritten
    dd if=/dev/zero of="$device" bs=1048576 count="$((SIZE / 1024))" conv=fsync 2> /dev/null &&
      dd if=/dev/zero of="$device" bs=1024 seek="$((SIZE / 1024 * 1024))" count="$((SIZE % 1024))" conv=fsync 2> /dev/null ||
      refuse "$R_FAILED" "$DISK could not be overwritten to its end"
  fi
  sync
  blockdev --flushbufs "$device" 2> /dev/null
  is_blank "$device" || refuse "$R_FAILED" "$DISK does not read back as empty"
  # Later, so that the answer still gets through.
  systemd-run --quiet --collect --no-ask-password --on-active=2 systemctl --no-block poweroff < /dev/null > /dev/null 2>&1 || did=$did-still-on
  done_json "$did"
}
