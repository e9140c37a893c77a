#!/bin/sh
# LAB STAND-IN for the kexec tarball's kexec/run. A container has no kernel of its own to replace: it restarts as an
# "installer" instead (root's keys and host keys stay, as the real one carries them over), with a nixos-install in PATH.
# From the k3OS root of `k3os/` the machine is in /lab.
set -eu
machine=''
[ ! -d /lab/var/lib/lab ] || machine=/lab
echo installer > $machine/var/lib/lab/os
: > $machine/boot/lab-default
rm -rf "$machine/mnt"
mkdir -p $machine/mnt
[ -z "$machine" ] || cp -p /etc/ssh/ssh_host_* $machine/etc/ssh/
cat > $machine/usr/local/bin/nixos-install << 'END'
#!/bin/sh
# LAB STAND-IN for nixos-install --no-root-passwd --no-channel-copy --system X: what the next boot of lab-init needs.
set -eu
while [ $# -gt 0 ]; do
  case $1 in --system) system=$2; shift ;; esac
  shift
done
[ -d "/mnt$system" ] || { echo "nixos-install: $system is not in /mnt"; exit 1; }
mkdir -p /mnt/boot /mnt/etc /mnt/nix/var/nix/profiles
touch /mnt/etc/NIXOS
ln -sfn "$system" /mnt/nix/var/nix/profiles/system-1-link
ln -sfn system-1-link /mnt/nix/var/nix/profiles/system
echo "$system" > /mnt/boot/lab-default
rm -f /var/lib/lab/os
# The next boot serves the host key that was delivered.
echo 'HostKey /mnt/etc/ssh/ssh_host_ed25519_key' > /etc/ssh/sshd_config.d/installed.conf
echo 'installation finished!'
END
chmod 755 $machine/usr/local/bin/nixos-install
echo "machine will boot into nixos in 2s..."
if [ -n "$machine" ]; then setsid sh -c 'sleep 2; kill 1' > /dev/null 2>&1 &
else nohup sh -c 'sleep 2; systemctl reboot --force' > /dev/null 2>&1 & fi
