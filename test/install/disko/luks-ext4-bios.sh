#!/nix/store/x-bash/bin/bash
export PATH=/nix/store/x-util-linux/bin:$PATH
umount -Rv "/mnt" || :

# shellcheck disable=SC2043,2041
for dev in /dev/disk/by-id/ata-CT500_S1;
do
  $BASH /nix/store/fpwn44vygjj6bfn8s1jj9p8yh6jhfxni-disk-deactivate/disk-deactivate "$dev"
done


set -efux

disko_devices_dir=$(mktemp -d)
trap 'rm -rf "$disko_devices_dir"' EXIT
mkdir -p "$disko_devices_dir"

( # disk main /dev/disk/by-id/ata-CT500_S1   #
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S1
  imageName=main
  imageSize=2G
  name=main
  type=disk

  ( # gpt  /dev/disk/by-id/ata-CT500_S1   #
    device=/dev/disk/by-id/ata-CT500_S1
    efiGptPartitionFirst=1
    type=gpt

    if ! blkid "/dev/disk/by-id/ata-CT500_S1" >&2; then
      sgdisk --clear "/dev/disk/by-id/ata-CT500_S1"
    fi
    # try to create the partition, if it fails, try to change the type and name
    if ! sgdisk --align-end  \
    --new=1:0:+1M \
     --partition-guid="1:R" \
    --change-name="1:disk-main-bios" \
    --typecode=1:EF02 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    then
      sgdisk --partition-guid="1:R" \
    --change-name="1:disk-main-bios" \
    --typecode=1:EF02 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    fi
    # ensure /dev/disk/by-path/..-partN exists before continuing
    partprobe "/dev/disk/by-id/ata-CT500_S1" || : # sometimes partprobe fails, but the partitions are still up2date
    udevadm trigger --subsystem-match=block
    udevadm settle --timeout 120
    # try to create the partition, if it fails, try to change the type and name
    if ! sgdisk --align-end  \
    --new=2:0:+1G \
     --partition-guid="2:R" \
    --change-name="2:disk-main-boot" \
    --typecode=2:8300 \
    --attributes=2:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    then
      sgdisk --partition-guid="2:R" \
    --change-name="2:disk-main-boot" \
    --typecode=2:8300 \
    --attributes=2:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    fi
    # ensure /dev/disk/by-path/..-partN exists before continuing
    partprobe "/dev/disk/by-id/ata-CT500_S1" || : # sometimes partprobe fails, but the partitions are still up2date
    udevadm trigger --subsystem-match=block
    udevadm settle --timeout 120
    # try to create the partition, if it fails, try to change the type and name
    if ! sgdisk --align-end  \
    --new=3:0:-0 \
     --partition-guid="3:R" \
    --change-name="3:disk-main-root" \
    --typecode=3:8300 \
    --attributes=3:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    then
      sgdisk --partition-guid="3:R" \
    --change-name="3:disk-main-root" \
    --typecode=3:8300 \
    --attributes=3:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    fi
    # ensure /dev/disk/by-path/..-partN exists before continuing
    partprobe "/dev/disk/by-id/ata-CT500_S1" || : # sometimes partprobe fails, but the partitions are still up2date
    udevadm trigger --subsystem-match=block
    udevadm settle --timeout 120






    ( # filesystem  /dev/disk/by-partlabel/disk-main-boot ext4 /boot #
      device=/dev/disk/by-partlabel/disk-main-boot
      declare -a extraArgs=()
      format=ext4
      declare -a mountOptions=(defaults)
      mountpoint=/boot
      type=filesystem

      if ! (blkid "/dev/disk/by-partlabel/disk-main-boot" | grep -q 'TYPE='); then
        mkfs.ext4 \
           \
          "/dev/disk/by-partlabel/disk-main-boot"
      fi


    )

    ( # luks root /dev/disk/by-partlabel/disk-main-root   #
      declare -a additionalKeyFiles=()
      askPassword=''
      device=/dev/disk/by-partlabel/disk-main-root
      declare -a extraFormatArgs=()
      declare -a extraOpenArgs=()
      initrdUnlock=1
      keyFile=''
      name=root
      passwordFile=/tmp/disk.key
      declare -A settings=([allowDiscards]=1)
      type=luks

      if ! blkid "/dev/disk/by-partlabel/disk-main-root" >/dev/null || ! cryptsetup isLuks "/dev/disk/by-partlabel/disk-main-root"; then

        cryptsetup -q luksFormat "/dev/disk/by-partlabel/disk-main-root"  --key-file <(set +x; echo -n "$(cat /tmp/disk.key)"; set -x) \
       \
       \

      fi

      if ! cryptsetup status "root" >/dev/null; then
        cryptsetup open "/dev/disk/by-partlabel/disk-main-root" "root" \
        --allow-discards \
         \
         \
        --key-file <(set +x; echo -n "$(cat /tmp/disk.key)"; set -x) \
       \
       \
       \
       --persistent
      fi


      ( # filesystem  /dev/mapper/root ext4 / #
        device=/dev/mapper/root
        declare -a extraArgs=()
        format=ext4
        declare -a mountOptions=(noatime)
        mountpoint=/
        type=filesystem

        if ! (blkid "/dev/mapper/root" | grep -q 'TYPE='); then
          mkfs.ext4 \
             \
            "/dev/mapper/root"
        fi


      )



    )




  )


)


set -efux
# first create the necessary devices
(
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S1
  imageName=main
  imageSize=2G
  name=main
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S1
    efiGptPartitionFirst=1
    type=gpt

    (
      declare -a additionalKeyFiles=()
      askPassword=''
      device=/dev/disk/by-partlabel/disk-main-root
      declare -a extraFormatArgs=()
      declare -a extraOpenArgs=()
      initrdUnlock=1
      keyFile=''
      name=root
      passwordFile=/tmp/disk.key
      declare -A settings=([allowDiscards]=1)
      type=luks

      if ! cryptsetup status "root" >/dev/null 2>/dev/null; then

        cryptsetup open "/dev/disk/by-partlabel/disk-main-root" "root" \
        --allow-discards \
         \
         \
        --key-file <(set +x; echo -n "$(cat /tmp/disk.key)"; set -x) \
       \
       \
       \

      fi



    )


  )


)


# and then mount the filesystems in dependency order
(
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S1
  imageName=main
  imageSize=2G
  name=main
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S1
    efiGptPartitionFirst=1
    type=gpt

    (
      declare -a additionalKeyFiles=()
      askPassword=''
      device=/dev/disk/by-partlabel/disk-main-root
      declare -a extraFormatArgs=()
      declare -a extraOpenArgs=()
      initrdUnlock=1
      keyFile=''
      name=root
      passwordFile=/tmp/disk.key
      declare -A settings=([allowDiscards]=1)
      type=luks

      (
        device=/dev/mapper/root
        declare -a extraArgs=()
        format=ext4
        declare -a mountOptions=(noatime)
        mountpoint=/
        type=filesystem

        if ! findmnt "/dev/mapper/root" "/mnt/" >/dev/null 2>&1; then
          mount "/dev/mapper/root" "/mnt/" \
            -t "ext4" \
            -o noatime \
            -o X-mount.mkdir
        fi


      )


    )


  )


)
(
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S1
  imageName=main
  imageSize=2G
  name=main
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S1
    efiGptPartitionFirst=1
    type=gpt

    (
      device=/dev/disk/by-partlabel/disk-main-boot
      declare -a extraArgs=()
      format=ext4
      declare -a mountOptions=(defaults)
      mountpoint=/boot
      type=filesystem

      if ! findmnt "/dev/disk/by-partlabel/disk-main-boot" "/mnt/boot" >/dev/null 2>&1; then
        mount "/dev/disk/by-partlabel/disk-main-boot" "/mnt/boot" \
          -t "ext4" \
          -o defaults \
          -o X-mount.mkdir
      fi


    )


  )


)
