#!@sh@
# Makes this system the current one, short of starting and stopping units.
PATH=@tools@/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
echo "setting up /etc..."
# Only links into the store are ours: the rest of /etc belongs to the image.
units=/etc/systemd/system
mkdir -p $units/multi-user.target.wants
for link in $units/*.service $units/multi-user.target.wants/*.service; do
  case $(readlink "$link" || true) in
    /nix/store/*) rm -f "$link" ;;
  esac
done
for unit in @out@/etc/systemd/system/*.service; do
  ln -sfn "$unit" $units/
  ln -sfn "$unit" $units/multi-user.target.wants/
done
ln -sfn @out@ /run/current-system

# The network is part of a system's configuration: a system that loses it is cured by activating one that does not.
down="@dropNetwork@"
if [ -e /var/lib/lab/fault/drop-on-activate ] && [ "$(cat /var/lib/lab/fault/drop-on-activate)" != "@out@" ]; then
  down=1
fi
for link in /sys/class/net/eth*; do
  [ -e "$link" ] || continue
  if [ -n "$down" ]; then
    echo "setting ${link##*/} down"
    ip link set "${link##*/}" down
  elif [ "$(cat "$link/operstate")" = down ] && [ ! -e /var/lib/lab/fault/unreachable ]; then
    ip link set "${link##*/}" up
  fi
done
[ -z "@activateExit@" ] || { echo "Activation script snippet 'lab' failed (@activateExit@)"; exit 1; }
