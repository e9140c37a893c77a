# macula-pull URL CONFIRM-SECONDS: move this machine to the system published at URL, or stay where it is.
# Exit 0 at the target (or nothing to do, held, busy, not now), 1 went back or could not.
#
# The machine is its own controller: the scripts of the host protocol in $MACULA_PROTOCOL arm the way back, activate in
# a unit of its own, commit and revert. This program only fetches, judges and remembers what failed.
export LC_ALL=C
url=${1:?URL} confirm=${2:?seconds}
protocol=${MACULA_PROTOCOL:?directory of the host protocol}
profile=${MACULA_PROFILE:-/nix/var/nix/profiles/system}
current=${MACULA_CURRENT:-/run/current-system}
state=${MACULA_STATE:-/var/lib/macula-fleet}
run=${MACULA_RUN:-/run/macula-fleet}
roots=${MACULA_ROOTS:-/nix/var/nix/gcroots/macula-fleet}
store=${MACULA_STORE:-/nix/store}
# What a commit may need of the time until the machine goes back: nothing is judged any more then.
margin=30

# One line of a JSON note, written one field a line.
field() { sed -n "s/^ *\"$2\": \"\{0,1\}\(.*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" "$1" 2>/dev/null; }
noted() { field "$state/state.json" "$1"; }

unit_alive() {
  case $(systemctl show -p ActiveState --value "macula-fleet-pull-$1" 2>/dev/null) in
    active | activating | deactivating | reloading) return 0 ;;
  esac
  return 1
}

# Seconds left for judging. Counted from arming, by the uptime that the way back itself goes by.
left() {
  read -r up _ </proc/uptime
  echo $(($(cat "$run/pull/deadline" 2>/dev/null || echo 0) - ${up%.*} - margin))
}

remember() { # FILE: on disk before anything changes, because what follows may take the machine down
  printf '%s\n' "$target" >"$state/$1.new" && sync "$state/$1.new" && mv -f "$state/$1.new" "$state/$1" && sync "$state"
}

# A script of the protocol. Its refusals are exit codes, with a sentence on stderr.
ask() { # NAME [REASON]
  RUN=pull ATTEMPT=$attempt FENCE=$fence FROM=$from TO=$target CONFIRM_TIMEOUT=$confirm REASON=${2-} \
    /bin/sh "$protocol/$1.sh" >/dev/null 8>&-
}

bad() {
  remember pull-bad && rm -f "$state/pull-trying"
}

give_up() { # REASON WHY
  echo "$2: going back to $from"
  bad
  # Should this be refused, the timer is still armed.
  ask revert "$1"
  exit 1
}

judge() {
  while [ "$(noted phase)" = activating ] && unit_alive activate.service && [ "$(left)" -gt 0 ]; do
    sleep 1
  done
  case $(noted phase) in
    activated) ;;
    activating) give_up activation "activation of $target did not end well (exit $(noted rc))" ;;
    *)
      echo "$target: this machine went back ($(noted reason))"
      bad
      exit 1
      ;;
  esac
  seconds=$(left)
  [ "$seconds" -gt 0 ] || give_up activation "activation took too long"
  timeout -k 5 "$seconds" "${MACULA_HEALTH:-$target/sw/bin/macula-health}" --quiet --wait "$seconds" ||
    give_up health "not healthy"
  # A machine that cannot fetch its next target could not be repaired: being able to ask again is part of health.
  curl -fsS --max-time 30 -o /dev/null "$url" || give_up health "cannot reach $url any more"
  # Under the lock that the way back needs: refused once that has begun, or when something else runs by now.
  ask commit || give_up commit "$target could not be committed"
  rm -f "$state/pull-trying" "$state/pull-bad" "$roots/pull-from" "$roots/pull-to"
  echo "committed $target"
  exit 0
}

mkdir -p "$state" "$roots"
[ -d "$run" ] || (umask 077 && mkdir -p "$run")
exec 8>"$run/pull.lock"
flock -n 8 || {
  echo "already pulling"
  exit 0
}

if [ "$(noted rollout)" = pull ]; then
  target=$(noted to) from=$(noted from) attempt=$(noted attempt) fence=$(noted fence)
  if unit_alive revert.service && [ "$(noted phase)" = reverting ]; then
    echo "going back to $from"
    exit 0
  fi
  case $(noted phase) in
    activating | activated)
      # Whoever judged it was ended, the trial was not.
      if unit_alive revert.timer || unit_alive revert.service; then judge; fi
      # Nobody would bring it back any more.
      if [ "$(readlink -f "$current")" = "$target" ]; then give_up unguarded "$target is unconfirmed and unguarded"; fi
      ;;
    committed)
      if [ "$(cat "$state/pull-trying" 2>/dev/null)" = "$target" ]; then rm -f "$state/pull-trying"; fi
      ;;
  esac
fi
# A trial that neither ended well nor badly died: a power cut, a panic, a watchdog. It is not repeated.
if [ -e "$state/pull-trying" ]; then
  target=$(cat "$state/pull-trying")
  echo "the trial of $target was cut off"
  bad
fi

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
  rm -f "$roots/pull-from" "$roots/pull-to"
  echo "$target failed here before: waiting for another"
  exit 0
fi

# Fetched from the configured caches; a path without an accepted signature is refused by Nix itself.
nix-store --realise "$target" --add-root "$roots/pull-to" --indirect >/dev/null || exit 1

attempt=1 fence=$(noted fence)
if [ "$(noted rollout)" = pull ]; then attempt=$(($(noted attempt) + 1)); fi
: "${fence:=0}"
remember pull-trying || {
  echo "cannot write $state: nothing changed"
  exit 1
}
ask activate
rc=$?
case $rc in
  0) judge ;;
  42 | 43 | 52) rc=0 ;; # busy or held meanwhile, or its owner says: not now
  *) rc=1 ;;
esac
rm -f "$state/pull-trying"
echo "nothing changed"
exit "$rc"
