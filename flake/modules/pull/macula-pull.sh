# macula-pull URL CONFIRM-SECONDS: move this machine to the system published at URL, or stay where it is.
# Exit 0 at the target (or nothing to do, or held), 1 went back or could not.
export LC_ALL=C
url=${1:?URL} confirm=${2:?seconds}
profile=${MACULA_PROFILE:-/nix/var/nix/profiles/system}
current=${MACULA_CURRENT:-/run/current-system}
state=${MACULA_STATE:-/var/lib/macula-fleet}
run=${MACULA_RUN:-/run/macula-fleet}
roots=${MACULA_ROOTS:-/nix/var/nix/gcroots/macula-fleet}
store=${MACULA_STORE:-/nix/store}
unit=macula-pull-revert

# One line of a JSON note, written one field a line.
field() { sed -n "s/^ *\"$2\": \"\{0,1\}\(.*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" "$1" 2>/dev/null; }

mkdir -p "$state" "$roots"
[ -d "$run" ] || (umask 077 && mkdir -p "$run")
# The lock of macula-fleet's own operations: a pull and a push never act at once.
exec 9>"$run/lock"
flock -n 9 || {
  echo "another operation is under way"
  exit 0
}
case $(field "$state/state.json" phase) in
  activating | activated | reverting)
    echo "a rollout is under way here"
    exit 0
    ;;
esac
if [ -e "$state/lock.json" ]; then
  echo "locked: $(field "$state/lock.json" reason)"
  exit 0
fi
if [ -e "$state/hold.json" ]; then
  until=$(field "$state/hold.json" until)
  if [ "${until:-0}" = 0 ] || [ "$(date +%s)" -lt "$until" ]; then
    echo "held: $(field "$state/hold.json" reason)"
    exit 0
  fi
fi

target=$(curl -fsS --max-time 30 "$url") || {
  echo "cannot ask $url"
  exit 1
}
case $target in
  "$store"/*[!a-zA-Z0-9+._?=/-]* | *..*)
    echo "not a store path: refused"
    exit 1
    ;;
  "$store"/*-*) ;;
  *)
    echo "not a store path: refused"
    exit 1
    ;;
esac

from=$(readlink -f "$current")
if [ "$target" = "$from" ] && [ "$target" = "$(readlink -f "$profile")" ]; then
  exit 0
fi
# A target that failed here is not tried again until another one is published.
if [ "$(cat "$state/pull-bad" 2>/dev/null)" = "$target" ]; then
  echo "$target failed here before: waiting for another"
  exit 0
fi

# Fetched from the configured caches; a path without an accepted signature is refused by Nix itself.
nix-store --realise "$target" --add-root "$roots/pull-to" --indirect >/dev/null || exit 1
ln -sfn "$from" "$roots/pull-from"

back() {
  echo "$1: going back to $from"
  printf '%s\n' "$target" >"$state/pull-bad"
  "$from/bin/switch-to-configuration" test
  systemctl stop "$unit.timer" 2>/dev/null
  exit 1
}

# Armed before anything changes, and independent of this program. Uses the old system's own script.
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null
systemctl reset-failed "$unit.timer" "$unit.service" 2>/dev/null
systemd-run --quiet --unit="$unit" --on-active="$confirm" \
  "$from/bin/switch-to-configuration" test || {
  echo "cannot arm the revert timer: nothing changed"
  exit 1
}

"$target/bin/switch-to-configuration" test
rc=$?
[ $rc = 0 ] || back "activation exited $rc"

# Leave the timer a minute: either this program decides or the timer does, never both.
"$target/sw/bin/macula-health" --quiet --wait $((confirm - 60)) || back "not healthy"
# A machine that cannot fetch its next target could not be repaired: being able to ask again is part of health.
curl -fsS --max-time 30 -o /dev/null "$url" || back "cannot reach $url any more"

systemctl stop "$unit.timer" || back "cannot disarm the revert timer"
if ! nix-env -p "$profile" --set "$target" || ! "$target/bin/switch-to-configuration" boot; then
  echo "running $target, but it could not be made the boot default"
  exit 1
fi
rm -f "$state/pull-bad"
echo "committed $target"
