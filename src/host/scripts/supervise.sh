# Runs inside the activation unit: switch, judge the exit status, go back at once when it is bad.
say() { printf 'macula-fleet: %s\n' "$*"; }

conclude() { # PHASE RC: still ours and still activating, else a revert has begun and owns the state
  lock 60
  state_load
  mine && [ "$S_PHASE" = activating ] || exit 0
  S_PHASE=$1 S_RC=$2
  state_write
  unlock
}

boot_into() { # RC
  if [ -z "$MAY_REBOOT" ] || ! can_boot_once; then
    say "this system needs a reboot, which is not allowed or cannot be undone by the boot loader ($(loader))"
    conclude activating "$1"
    go_back activation
    exit 0
  fi
  lock 60
  state_load
  mine && [ "$S_PHASE" = activating ] || exit 0
  S_MODE=boot
  state_write
  # Later boots must find the judge; from here on it is the boot loader that brings FROM back.
  if install_guard && boot_once; then
    disarm
    unlock
    say "rebooting into $TO, once"
    systemctl --no-block reboot && exit 0
  fi
  cancel_boot_once
  remove_guard
  S_RC=$1
  state_write
  unlock
  go_back activation
  exit 0
}

main() {
  [ "$MODE" = test ] || boot_into null
  before=$(wc -c < "$LOG")
  switch_to "$TO" test
  rc=$?
  say "switch-to-configuration test: exit $rc"
  case $rc in
    0) conclude activated 0 ;;
    4) # the system is active; only units that were not failed before, and matter, speak against it
      sleep 1
      state_load
      fresh=$(new_failed)
      if [ -z "$fresh" ]; then conclude activated 4; else
        say "newly failed: $(printf '%s' "$fresh" | tr '\n' ' ')"
        conclude activating 4
        go_back activation
      fi
      ;;
    100) boot_into 100 ;;
    *)
      if [ "$rc" -eq 1 ] && tail -c "+$((before + 1))" "$LOG" | grep -Eiq 'switch ?inhibitors|pre-switch check'; then boot_into 1; fi
      conclude activating "$rc"
      go_back activation
      ;;
  esac
}
