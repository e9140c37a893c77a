#!/bin/sh
# installer.sh ROOTFS RECIPE_DIR MODULES OUT: the machine's file system once more, as an installer that lives in memory;
# OUT becomes its initrd. What nixos-anywhere and its callers look for is there: VARIANT_ID, sgdisk, mkfs, nixos-install.
set -eu
root=${1:?} recipe=${2:?} modules=${3:?} out=${4:?}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
tar -C "$root" --exclude=./boot --exclude=./proc --exclude=./sys --exclude=./dev --exclude=./nix/store -cf - . | tar -C "$tree" -xf -
mkdir -p "$tree/proc" "$tree/sys" "$tree/dev" "$tree/boot" "$tree/mnt" "$tree/nix/store"
cp -R "$modules" "$tree/modules"
install -m 755 "$recipe/installer-init" "$tree/init"
install -m 755 "$recipe/nixos-install" "$recipe/lab-network" "$tree/usr/local/sbin/"
cp -R "$root/boot/grub" "$tree/boot/grub"
{
  echo 'NAME=NixOS'
  echo 'ID=nixos'
  echo 'VERSION_ID="26.05"'
  echo 'VARIANT_ID=installer'
  echo 'PRETTY_NAME="NixOS 26.05 installer (lab stand-in, made of Debian)"'
} > "$tree/etc/os-release"
echo nixos-installer > "$tree/etc/hostname"
rm -f "$tree"/etc/ssh/ssh_host_* "$tree/etc/machine-id"
sh "$recipe/real-network.sh" "$tree"
(cd "$tree" && find . | cpio --quiet -o -H newc) | zstd -q -T0 -6 -o "$out"
# What is appended to it must begin at a multiple of four.
truncate -s %4 "$out"
