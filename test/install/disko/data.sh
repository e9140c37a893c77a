#!/nix/store/x-bash/bin/bash
export PATH=/nix/store/x-util-linux/bin:$PATH
umount -Rv "/mnt" || :

# shellcheck disable=SC2043,2041
for dev in /dev/disk/by-id/ata-CT500_S1 /dev/disk/by-id/ata-CT500_S3;
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
    --new=1:0:+1G \
     --partition-guid="1:R" \
    --change-name="1:disk-main-esp" \
    --typecode=1:EF00 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    then
      sgdisk --partition-guid="1:R" \
    --change-name="1:disk-main-esp" \
    --typecode=1:EF00 \
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
    --new=2:0:-0 \
     --partition-guid="2:R" \
    --change-name="2:disk-main-root" \
    --typecode=2:8300 \
    --attributes=2:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    then
      sgdisk --partition-guid="2:R" \
    --change-name="2:disk-main-root" \
    --typecode=2:8300 \
    --attributes=2:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S1" \

    fi
    # ensure /dev/disk/by-path/..-partN exists before continuing
    partprobe "/dev/disk/by-id/ata-CT500_S1" || : # sometimes partprobe fails, but the partitions are still up2date
    udevadm trigger --subsystem-match=block
    udevadm settle --timeout 120





    ( # filesystem  /dev/disk/by-partlabel/disk-main-esp vfat /boot #
      device=/dev/disk/by-partlabel/disk-main-esp
      declare -a extraArgs=()
      format=vfat
      declare -a mountOptions=('umask=0077')
      mountpoint=/boot
      type=filesystem

      if ! (blkid "/dev/disk/by-partlabel/disk-main-esp" | grep -q 'TYPE='); then
        mkfs.vfat \
           \
          "/dev/disk/by-partlabel/disk-main-esp"
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


      ( # btrfs  /dev/mapper/root   #
        device=/dev/mapper/root
        declare -a extraArgs=(-f)
        declare -a mountOptions=(defaults)
        mountpoint=''
        type=btrfs

        # create the filesystem only if the device seems empty
        if ! (blkid "/dev/mapper/root" -o export | grep -q '^TYPE='); then
          mkfs.btrfs "/dev/mapper/root" -f
        fi
        if (blkid "/dev/mapper/root" -o export | grep -q '^TYPE=btrfs$'); then

          (
          MNTPOINT=$(mktemp -d)
          mount "/dev/mapper/root" "$MNTPOINT" -o subvol=/
          trap 'umount "$MNTPOINT"; rm -rf "$MNTPOINT"' EXIT
          SUBVOL_ABS_PATH="$MNTPOINT/@home"
          mkdir -p "$(dirname "$SUBVOL_ABS_PATH")"
          if ! btrfs subvolume show "$SUBVOL_ABS_PATH" > /dev/null 2>&1; then
            btrfs subvolume create "$SUBVOL_ABS_PATH"
          fi

        )
        (
          MNTPOINT=$(mktemp -d)
          mount "/dev/mapper/root" "$MNTPOINT" -o subvol=/
          trap 'umount "$MNTPOINT"; rm -rf "$MNTPOINT"' EXIT
          SUBVOL_ABS_PATH="$MNTPOINT/@nix"
          mkdir -p "$(dirname "$SUBVOL_ABS_PATH")"
          if ! btrfs subvolume show "$SUBVOL_ABS_PATH" > /dev/null 2>&1; then
            btrfs subvolume create "$SUBVOL_ABS_PATH"
          fi

        )
        (
          MNTPOINT=$(mktemp -d)
          mount "/dev/mapper/root" "$MNTPOINT" -o subvol=/
          trap 'umount "$MNTPOINT"; rm -rf "$MNTPOINT"' EXIT
          SUBVOL_ABS_PATH="$MNTPOINT/@root"
          mkdir -p "$(dirname "$SUBVOL_ABS_PATH")"
          if ! btrfs subvolume show "$SUBVOL_ABS_PATH" > /dev/null 2>&1; then
            btrfs subvolume create "$SUBVOL_ABS_PATH"
          fi

        )
        (
          MNTPOINT=$(mktemp -d)
          mount "/dev/mapper/root" "$MNTPOINT" -o subvol=/
          trap 'umount "$MNTPOINT"; rm -rf "$MNTPOINT"' EXIT
          SUBVOL_ABS_PATH="$MNTPOINT/@var"
          mkdir -p "$(dirname "$SUBVOL_ABS_PATH")"
          if ! btrfs subvolume show "$SUBVOL_ABS_PATH" > /dev/null 2>&1; then
            btrfs subvolume create "$SUBVOL_ABS_PATH"
          fi

        )

        fi



      )



    )




  )


)
( # disk pv /dev/disk/by-id/ata-CT500_S2   #
  destroy=''
  device=/dev/disk/by-id/ata-CT500_S2
  imageName=pv
  imageSize=2G
  name=pv
  type=disk

  ( # gpt  /dev/disk/by-id/ata-CT500_S2   #
    device=/dev/disk/by-id/ata-CT500_S2
    efiGptPartitionFirst=1
    type=gpt

    if ! blkid "/dev/disk/by-id/ata-CT500_S2" >&2; then
      sgdisk --clear "/dev/disk/by-id/ata-CT500_S2"
    fi
    # try to create the partition, if it fails, try to change the type and name
    if ! sgdisk --align-end  \
    --new=1:0:-0 \
     --partition-guid="1:R" \
    --change-name="1:disk-pv-data" \
    --typecode=1:8300 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S2" \

    then
      sgdisk --partition-guid="1:R" \
    --change-name="1:disk-pv-data" \
    --typecode=1:8300 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S2" \

    fi
    # ensure /dev/disk/by-path/..-partN exists before continuing
    partprobe "/dev/disk/by-id/ata-CT500_S2" || : # sometimes partprobe fails, but the partitions are still up2date
    udevadm trigger --subsystem-match=block
    udevadm settle --timeout 120





    ( # filesystem  /dev/disk/by-partlabel/disk-pv-data ext4 /data #
      device=/dev/disk/by-partlabel/disk-pv-data
      declare -a extraArgs=()
      format=ext4
      declare -a mountOptions=(noatime nofail)
      mountpoint=/data
      type=filesystem

      if ! (blkid "/dev/disk/by-partlabel/disk-pv-data" | grep -q 'TYPE='); then
        mkfs.ext4 \
           \
          "/dev/disk/by-partlabel/disk-pv-data"
      fi


    )




  )


)
( # disk scratch /dev/disk/by-id/ata-CT500_S3   #
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S3
  imageName=scratch
  imageSize=2G
  name=scratch
  type=disk

  ( # gpt  /dev/disk/by-id/ata-CT500_S3   #
    device=/dev/disk/by-id/ata-CT500_S3
    efiGptPartitionFirst=1
    type=gpt

    if ! blkid "/dev/disk/by-id/ata-CT500_S3" >&2; then
      sgdisk --clear "/dev/disk/by-id/ata-CT500_S3"
    fi
    # try to create the partition, if it fails, try to change the type and name
    if ! sgdisk --align-end  \
    --new=1:0:-0 \
     --partition-guid="1:R" \
    --change-name="1:disk-scratch-data" \
    --typecode=1:8300 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S3" \

    then
      sgdisk --partition-guid="1:R" \
    --change-name="1:disk-scratch-data" \
    --typecode=1:8300 \
    --attributes=1:=:0 \
     \
    "/dev/disk/by-id/ata-CT500_S3" \

    fi
    # ensure /dev/disk/by-path/..-partN exists before continuing
    partprobe "/dev/disk/by-id/ata-CT500_S3" || : # sometimes partprobe fails, but the partitions are still up2date
    udevadm trigger --subsystem-match=block
    udevadm settle --timeout 120





    ( # filesystem  /dev/disk/by-partlabel/disk-scratch-data xfs /scratch #
      device=/dev/disk/by-partlabel/disk-scratch-data
      declare -a extraArgs=()
      format=xfs
      declare -a mountOptions=(noatime nofail)
      mountpoint=/scratch
      type=filesystem

      if ! (blkid "/dev/disk/by-partlabel/disk-scratch-data" | grep -q 'TYPE='); then
        mkfs.xfs \
           \
          "/dev/disk/by-partlabel/disk-scratch-data"
      fi


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
(
  destroy=''
  device=/dev/disk/by-id/ata-CT500_S2
  imageName=pv
  imageSize=2G
  name=pv
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S2
    efiGptPartitionFirst=1
    type=gpt



  )


)
(
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S3
  imageName=scratch
  imageSize=2G
  name=scratch
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S3
    efiGptPartitionFirst=1
    type=gpt



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
        declare -a extraArgs=(-f)
        declare -a mountOptions=(defaults)
        mountpoint=''
        type=btrfs

        if ! findmnt "/dev/mapper/root" "/mnt/" > /dev/null 2>&1; then
          mount "/dev/mapper/root" "/mnt/" \
          -o compress=zstd -o noatime -o subvol=@root \
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
      device=/dev/disk/by-partlabel/disk-main-esp
      declare -a extraArgs=()
      format=vfat
      declare -a mountOptions=('umask=0077')
      mountpoint=/boot
      type=filesystem

      if ! findmnt "/dev/disk/by-partlabel/disk-main-esp" "/mnt/boot" >/dev/null 2>&1; then
        mount "/dev/disk/by-partlabel/disk-main-esp" "/mnt/boot" \
          -t "vfat" \
          -o 'umask=0077' \
          -o X-mount.mkdir
      fi


    )


  )


)
(
  destroy=''
  device=/dev/disk/by-id/ata-CT500_S2
  imageName=pv
  imageSize=2G
  name=pv
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S2
    efiGptPartitionFirst=1
    type=gpt

    (
      device=/dev/disk/by-partlabel/disk-pv-data
      declare -a extraArgs=()
      format=ext4
      declare -a mountOptions=(noatime nofail)
      mountpoint=/data
      type=filesystem

      if ! findmnt "/dev/disk/by-partlabel/disk-pv-data" "/mnt/data" >/dev/null 2>&1; then
        mount "/dev/disk/by-partlabel/disk-pv-data" "/mnt/data" \
          -t "ext4" \
          -o noatime -o nofail \
          -o X-mount.mkdir
      fi


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
        declare -a extraArgs=(-f)
        declare -a mountOptions=(defaults)
        mountpoint=''
        type=btrfs

        if ! findmnt "/dev/mapper/root" "/mnt/home" > /dev/null 2>&1; then
          mount "/dev/mapper/root" "/mnt/home" \
          -o compress=zstd -o noatime -o subvol=@home \
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
        declare -a extraArgs=(-f)
        declare -a mountOptions=(defaults)
        mountpoint=''
        type=btrfs

        if ! findmnt "/dev/mapper/root" "/mnt/nix" > /dev/null 2>&1; then
          mount "/dev/mapper/root" "/mnt/nix" \
          -o compress=zstd -o noatime -o subvol=@nix \
          -o X-mount.mkdir
        fi


      )


    )


  )


)
(
  destroy=1
  device=/dev/disk/by-id/ata-CT500_S3
  imageName=scratch
  imageSize=2G
  name=scratch
  type=disk

  (
    device=/dev/disk/by-id/ata-CT500_S3
    efiGptPartitionFirst=1
    type=gpt

    (
      device=/dev/disk/by-partlabel/disk-scratch-data
      declare -a extraArgs=()
      format=xfs
      declare -a mountOptions=(noatime nofail)
      mountpoint=/scratch
      type=filesystem

      if ! findmnt "/dev/disk/by-partlabel/disk-scratch-data" "/mnt/scratch" >/dev/null 2>&1; then
        mount "/dev/disk/by-partlabel/disk-scratch-data" "/mnt/scratch" \
          -t "xfs" \
          -o noatime -o nofail \
          -o X-mount.mkdir
      fi


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
        declare -a extraArgs=(-f)
        declare -a mountOptions=(defaults)
        mountpoint=''
        type=btrfs

        if ! findmnt "/dev/mapper/root" "/mnt/var" > /dev/null 2>&1; then
          mount "/dev/mapper/root" "/mnt/var" \
          -o compress=zstd -o noatime -o subvol=@var \
          -o X-mount.mkdir
        fi


      )


    )


  )


)
