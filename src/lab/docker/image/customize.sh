#!/bin/sh
# Last step of building a host image: customize.sh ROOTFS SUITE RECIPE_DIR (run by mmdebstrap on the building machine).
set -eu
root=${1:?} suite=${2:?} recipe=${3:?}

install -m 755 "$recipe/lab-init" "$recipe/lab-fault" "$root/usr/local/sbin/"
install -m 644 "$recipe/nix.conf" "$root/etc/nix/nix.conf"
install -D -m 644 "$recipe/sshd.conf" "$root/etc/ssh/sshd_config.d/lab.conf"
install -D -m 644 "$recipe/journald.conf" "$root/etc/systemd/journald.conf.d/lab.conf"

# Unique per host: made at first boot.
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id"
: > "$root/etc/machine-id"

# Three ways to become root: directly, sudo (deploy), and where the suite has it doas only (admin).
for user in deploy admin; do chroot "$root" useradd -m -s /bin/bash "$user"; done
echo 'deploy ALL=(ALL) NOPASSWD:ALL' > "$root/etc/sudoers.d/deploy"
chmod 440 "$root/etc/sudoers.d/deploy"
if [ -e "$root/usr/bin/doas" ]; then
  echo 'permit nopass admin' > "$root/etc/doas.conf"
  chmod 600 "$root/etc/doas.conf"
fi

# Every local user may talk to the Nix daemon, as on NixOS; Debian restricts that to a group.
find "$root/usr/lib/tmpfiles.d" -name 'nix*.conf' \
  -exec sed -i 's#\(/nix/var/nix/daemon-socket\) *0*7[0-9]* root nix-users#\1 0755 root root#' {} +
mkdir -p "$root/nix/var/nix/daemon-socket"
chmod 755 "$root/nix/var/nix/daemon-socket"

chroot "$root" systemctl enable ssh.service
chroot "$root" systemctl set-default multi-user.target
# What a container has no use for; logind would make every login slow, and leave failed units behind.
chroot "$root" systemctl mask \
  systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
  systemd-udev-settle.service systemd-modules-load.service systemd-sysctl.service systemd-remount-fs.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount \
  dev-mqueue.mount sys-fs-fuse-connections.mount systemd-firstboot.service systemd-timesyncd.service \
  systemd-networkd.service systemd-hwdb-update.service systemd-pcrlock-make-policy.service \
  systemd-journal-catalog-update.service systemd-update-done.service ldconfig.service systemd-logind.service \
  user@.service user-runtime-dir@.service getty.target console-getty.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer ssh.socket \
  2>/dev/null || true
sed -i 's/^-\?session.*pam_systemd\.so.*/# &/' "$root/etc/pam.d/common-session"
touch "$root/etc/default/locale"

rm -rf "${root:?}"/var/cache/apt/* "${root:?}"/var/lib/apt/lists/* "${root:?}"/boot/*
echo "lab image: $suite, $(chroot "$root" nix --version)"
