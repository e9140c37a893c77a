# A lab host as a machine nobody has installed yet: plain Debian, no system of the fleet. Restart it afterwards.
set -eu
# Empty: lab-init waits for the file, and boots Debian's own init when it names nothing.
: > /boot/lab-default
rm -f /etc/NIXOS /etc/os-release
ln -s ../usr/lib/os-release /etc/os-release
echo debian > /var/lib/lab/os
for link in /etc/systemd/system/*.service /etc/systemd/system/multi-user.target.wants/*.service; do
  case $(readlink "$link" || true) in /nix/store/*) rm -f "$link" ;; esac
done
