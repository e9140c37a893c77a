#!@sh@
# switch-to-configuration of a lab system: the verbs, messages, locks and exit codes a deployer relies on.
# 0 done · 1 refused before anything changed · 2 activation script failed · 4 units failed · 100 reboot needed
PATH=@tools@/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
out=@out@
action=${1-}
say() { echo "$@" >&2; }
finish() { echo "$(date +%s) $action $out rc=$1" >> /var/log/lab-switch.log; exit "$1"; }

case $action in
  switch | boot | test | dry-activate) ;;
  *)
    say "Usage: $0 [check|switch|boot|test|dry-activate]"
    exit 1
    ;;
esac
[ "$(id -u)" = 0 ] || { say "$0: must be run as root"; exit 1; }

mkdir -p /run/nixos /var/log
exec 9> /run/nixos/switch-to-configuration.lock
flock -n 9 || { say "Could not acquire lock"; exit 1; }

if [ $action = switch ] || [ $action = test ]; then
  if [ -n "@inhibited@" ] && [ "${NIXOS_NO_CHECK-}" != 1 ] && [ "$(readlink /run/current-system)" != "$out" ]; then
    say "There are changes to critical components of the system (dbus-implementation: dbus -> broker)"
    say "Pre-switch check 'switchInhibitors' failed"
    finish 1
  fi
fi
if [ $action = switch ] || [ $action = boot ]; then
  [ -z "@bootloaderFails@" ] || { say "Failed to install bootloader"; finish 1; }
  if [ -x /usr/local/sbin/lab-install-boot-loader ]; then # a machine with a boot loader of its own
    /usr/local/sbin/lab-install-boot-loader $out >&2 || {
      say "Failed to install bootloader"
      finish 1
    }
  else
    # As systemd-boot's builder does: a system that is no generation of the profile gets no entry, and so does not
    # become the default.
    for generation in /nix/var/nix/profiles/system-*-link; do
      [ "$(readlink "$generation")" = "$out" ] || continue
      { printf '%s\n' "$out" > /boot/lab-default.new && sync && mv /boot/lab-default.new /boot/lab-default && sync; } || {
        say "Failed to install bootloader"
        finish 1
      }
      break
    done
  fi
fi
[ $action != boot ] || finish 0

if [ $action != dry-activate ] &&
  [ "$(cat /run/current-system/init-interface-version)" != "$(cat $out/init-interface-version)" ]; then
  say "Warning: the new NixOS configuration has an 'init' that is incompatible with the current configuration."
  say "The new configuration won't take effect until you reboot the system."
  finish 100
fi

# Units: compare what runs with what is to run.
old=/run/current-system/etc/systemd/system new=$out/etc/systemd/system
names() { (cd "$1" 2> /dev/null && ls -1 ./*.service 2> /dev/null) | sed 's|^\./||'; }
stop='' restart='' start=''
for unit in $(names $old); do [ -e "$new/$unit" ] || stop="$stop $unit"; done
for unit in $(names $new); do
  if [ ! -e "$old/$unit" ]; then
    start="$start $unit"
  elif ! cmp -s "$old/$unit" "$new/$unit"; then
    restart="$restart $unit"
  elif ! systemctl is-active --quiet "$unit"; then
    start="$start $unit"
  fi
done
list() { echo "$*" | sed 's/ /, /g'; }
if [ $action = dry-activate ]; then
  [ -z "$stop" ] || say "would stop the following units: $(list $stop)"
  say "would activate the configuration..."
  [ -z "$restart" ] || say "would restart the following units: $(list $restart)"
  [ -z "$start" ] || say "would start the following units: $(list $start)"
  finish 0
fi

[ -z "@sleep@" ] || sleep "@sleep@"
if [ -n "$stop" ]; then
  say "stopping the following units: $(list $stop)"
  systemctl stop $stop
fi
if [ -n "@killSshd@@loseSshd@" ]; then
  say "stopping the following units: ssh.service"
  systemctl stop ssh.service
  killall sshd sshd-session 2> /dev/null
fi
say "activating the configuration..."
result=0
$out/activate >&2 || result=2
systemctl daemon-reload
if [ -n "$restart" ]; then
  say "restarting the following units: $(list $restart)"
  systemctl restart $restart || result=$((result == 2 ? 2 : 4))
fi
if [ -n "$start" ]; then
  say "starting the following units: $(list $start)"
  systemctl start $start || result=$((result == 2 ? 2 : 4))
fi
[ -n "@loseSshd@" ] || systemctl is-active --quiet ssh.service || systemctl start ssh.service
for unit in $restart $start; do
  if [ "$(systemctl is-failed "$unit")" = failed ]; then
    say "warning: the following units failed: $unit"
    [ $result = 2 ] || result=4
  fi
done
finish $result
