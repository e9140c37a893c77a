#!/bin/sh
# Partitions and mounts the disk below /mnt, like disko's script: destroys everything on the disk, asks nothing.
set -eu
device=@device@
echo "+ lab disko on $device"
mkdir -p /mnt
if [ -b "$device" ] && command -v sgdisk > /dev/null; then
  umount -R /mnt 2> /dev/null || true
  sgdisk --zap-all "$device"
  sgdisk -n1:0:+4M -t1:ef02 -n2:0:0 -t2:8300 "$device"
  case $device in */by-id/*) part=$device-part2 ;; *[0-9]) part=${device}p2 ;; *) part=${device}2 ;; esac
  udevadm settle --timeout=120 2> /dev/null || true
  for _ in $(seq 60); do [ ! -b "$part" ] || break; sleep 1; done
  mkfs.ext4 -q -F -L nixos "$part"
  mount "$part" /mnt
fi
mkdir -p /mnt/nix /mnt/etc
findmnt /mnt || echo "/mnt is a directory"
