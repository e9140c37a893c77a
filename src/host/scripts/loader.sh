# What the next boot starts, and how to make a system the next boot only once.
esp() { # where systemd-boot keeps its files
  for dir in /boot /efi /boot/efi; do
    if [ -e "$dir/loader/loader.conf" ]; then
      printf '%s' "$dir"
      return
    fi
  done
}

loader() {
  if [ -e /boot/lab-default ]; then echo lab
  elif [ -n "$(esp)" ]; then echo systemd-boot
  elif [ -e /boot/grub/grub.cfg ]; then echo grub
  elif [ -e /boot/extlinux/extlinux.conf ]; then echo extlinux
  else echo none; fi
}

init_of() { sed -n 's#.*init=\(/nix/store/[^/ ]*\)/init.*#\1#p' | head -n 1; }

boot_default() {
  case $(loader) in
    lab) cat /boot/lab-default ;;
    systemd-boot)
      entry=$(sed -n 's/^default[[:space:]]*//p' "$(esp)/loader/loader.conf" | head -n 1)
      case $entry in
        '' | *[*?/]*) ;;
        *) init_of < "$(esp)/loader/entries/${entry%.conf}.conf" 2>/dev/null ;;
      esac
      ;;
    # NixOS writes the default entry first, for both.
    grub) init_of < /boot/grub/grub.cfg ;;
    extlinux) init_of < /boot/extlinux/extlinux.conf ;;
  esac
}

# The place of SYSTEM's entry in grub.cfg as grub-reboot wants it (`2` or `1>0`).
grub_entry() {
  awk -v want="init=$1/init" '
    /^[ \t]*submenu / { path = top + 0; top++; sub_i = 0; in_sub = 1; next }
    /^[ \t]*menuentry / { if (in_sub) { at = path ">" sub_i; sub_i++ } else { at = top + 0; top++ } entry = 1; next }
    index($0, want) && entry { print at; exit }
    /^[ \t]*}/ { if (entry) entry = 0; else in_sub = 0 }
  ' /boot/grub/grub.cfg
}

# An entry for TO next to the default one: NixOS writes entries for every profile, so TO gets a profile of its own and
# FROM, which stays the default, writes them.
side_entry() {
  mkdir -p "${SIDE_PROFILE%/*}" && nix-env -p "$SIDE_PROFILE" --set "$TO" < /dev/null 9>&- && switch_to "$FROM" boot
}
remove_side_entry() { rm -f "$SIDE_PROFILE" "$SIDE_PROFILE"-*-link; }

can_boot_once() {
  case $(loader) in
    lab) ;;
    systemd-boot) command -v bootctl > /dev/null && [ -d /sys/firmware/efi/efivars ] ;;
    grub) command -v grub-reboot > /dev/null && [ -e /boot/grub/grubenv ] ;;
    *) return 1 ;;
  esac
}

# The default stays FROM, so that any further boot - a power cut, a hang, a panic - is FROM again.
boot_once() {
  case $(loader) in
    lab) printf '%s\n' "$TO" > /boot/lab-oneshot && sync ;;
    systemd-boot)
      side_entry || return 1
      entry=$(grep -lF "init=$TO/init" "$(esp)"/loader/entries/*.conf | head -n 1)
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && bootctl set-oneshot "${entry##*/}"
      ;;
    grub)
      side_entry || return 1
      entry=$(grub_entry "$TO")
      [ -n "$entry" ] && [ "$(boot_default)" = "$FROM" ] && grub-reboot "$entry"
      ;;
    *) return 1 ;;
  esac
}

cancel_boot_once() {
  case $(loader) in
    lab) rm -f /boot/lab-oneshot ;;
    systemd-boot) bootctl set-oneshot '' 2>/dev/null ;;
    grub) grub-editenv /boot/grub/grubenv unset next_entry 2>/dev/null ;;
  esac
  :
}

# /etc/systemd/system.control is read by every systemd and left alone by NixOS: the one place where a unit survives
# both a reboot and a change of system without being part of either. `boot.sh` runs in whatever comes up.
install_guard() {
  mkdir -p "$GUARD_HOME" "$GUARD_DIR/multi-user.target.wants" &&
    cp "$D/boot.sh" "$D/restore.sh" "$GUARD_HOME/" &&
    printf '%s\n' '[Unit]' 'Description=macula-fleet: judge what this boot came up with' \
      '[Service]' 'Type=oneshot' "StandardOutput=append:$LOG" 'StandardError=inherit' \
      "ExecStart=/bin/sh $GUARD_HOME/boot.sh" > "$GUARD_DIR/$U-boot.service" &&
    ln -sfn "../$U-boot.service" "$GUARD_DIR/multi-user.target.wants/$U-boot.service" && sync
}
remove_guard() {
  rm -f "$GUARD_DIR/multi-user.target.wants/$U-boot.service" "$GUARD_DIR/$U-boot.service"
  rm -rf "$GUARD_HOME"
  rmdir "$GUARD_DIR/multi-user.target.wants" 2>/dev/null
  :
}
