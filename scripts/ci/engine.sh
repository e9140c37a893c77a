#!/bin/sh
# Makes sure that this machine can run the container suites: engine.sh [PACKAGE...]
# Installs what is missing from Debian, starts the container engine when none answers, and waits until it does.
# May be run any number of times. Needs root; works without an init system.
set -eu

packages="docker.io containerd runc iptables iproute2 mmdebstrap nix-bin busybox-static git openssh-client
  openssh-server ca-certificates $*"
log=${MACULA_FLEET_ENGINE_LOG:-/var/log/macula-fleet-dockerd.log}
# With an engine elsewhere ($DOCKER_HOST) only its client is needed; any engine that answers will do.
answers() { command -v docker > /dev/null && timeout 10 docker version > /dev/null 2>&1; }
say() { echo "engine.sh: $*" >&2; }

missing=
for package in $packages; do
  case $package in
    docker.io | containerd | runc) ! answers || continue ;;
  esac
  dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null | grep -qx installed ||
    missing="$missing $package"
done
if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] || { say "these packages are missing and only root can install them:$missing"; exit 1; }
  say "installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # one word per package
  install_missing() { apt-get install --yes --quiet --no-install-recommends $missing > /dev/null; }
  # The package lists may be fresh enough; asking for new ones takes longer than the installation.
  install_missing 2> /dev/null || { apt-get update --quiet > /dev/null && install_missing; }
fi

if ! answers; then
  [ "$(id -u)" = 0 ] || { say "no container engine answers, and only root can start one"; exit 1; }
  if pid=$(cat /run/docker.pid 2> /dev/null) && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = dockerd ]; then
    say "waiting for the engine that is starting (process $pid)"
  else
    # Left by an engine that was killed; with it no new one starts.
    rm -f /run/docker.pid
    say "starting the container engine (log: $log)"
    setsid dockerd > "$log" 2>&1 < /dev/null &
  fi
  for _ in $(seq 120); do
    ! answers || break
    sleep 0.5
  done
fi
if ! answers; then
  say "the container engine does not answer; the end of $log:"
  tail -n 20 "$log" >&2 || true
  exit 1
fi
say "engine $(docker version --format '{{.Server.Version}}'), $(nix --version)"
