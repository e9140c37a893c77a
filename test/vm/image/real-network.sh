#!/bin/sh
# real-network.sh TREE: devices by udev, addresses by networkd and names by mDNS, as on NixOS and in its installer.
set -eu
tree=${1:?}
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
  systemd-networkd.service systemd-resolved.service; do
  rm -f "$tree/etc/systemd/system/$unit"
done
rm -f "$tree/etc/systemd/system/multi-user.target.wants/lab-network.service"
chroot "$tree" systemctl enable systemd-networkd.service systemd-resolved.service
chroot "$tree" systemctl mask systemd-networkd-wait-online.service
mkdir -p "$tree/etc/systemd/network" "$tree/etc/systemd/resolved.conf.d" "$tree/etc/systemd/system/systemd-networkd.service.d"
printf '%s\n' '[Match]' 'Type=ether' '[Network]' 'DHCP=yes' 'MulticastDNS=yes' 'LLMNR=no' 'IPv6AcceptRA=no' > "$tree/etc/systemd/network/90-any.network"
printf '%s\n' '[Resolve]' 'MulticastDNS=yes' 'LLMNR=no' > "$tree/etc/systemd/resolved.conf.d/lab.conf"
printf '%s\n' '[Service]' 'ExecStartPre=-/usr/local/sbin/lab-network' > "$tree/etc/systemd/system/systemd-networkd.service.d/lab.conf"
