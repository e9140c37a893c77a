# An installer on a medium that boots by BIOS and UEFI, as a disc and as a stick; made of what lies in installer/ beside
# flake.nix: kernel, initrd, kernel-params, and GRUB's boot_hybrid.img, eltorito.img, bootx64.efi. The lab's Nix has no
# sandbox: xorriso and mtools are the building machine's.
{ busybox, release, fleet }: system:
let
  build = import ./lib/build.nix { inherit busybox system; };
  keysOf = host: builtins.concatLists (map (user: user.keys) (builtins.attrValues host.users));
  keys = builtins.concatStringsSep "\n" (builtins.concatLists (map keysOf fleet.hosts));
in
build.run "lab-installer-${release.name}.iso" { src = "${./installer}"; inherit keys; volume = "MACULAOS_LAB"; } ''
  [ -n "$keys" ] || { echo "the installer would let nobody in: give the inventory's users keys"; exit 1; }
  mkdir -p handed-over/root/.ssh iso/boot/grub $out/iso
  echo "$keys" | sort -u > handed-over/root/.ssh/authorized_keys
  chmod 700 handed-over/root handed-over/root/.ssh
  cp $src/kernel iso/boot/kernel
  { cat $src/initrd; (cd handed-over && find . | cpio -o -H newc); } > iso/boot/initrd
  cp $src/eltorito.img iso/boot/grub/
  {
    echo 'serial --unit=0 --speed=115200'
    echo 'terminal_output console serial'
    echo 'echo "LAB installer (a stand-in for MaculaOS)"'
    echo "linux /boot/kernel $(cat $src/kernel-params)"
    echo 'initrd /boot/initrd'
    echo boot
  } > iso/boot/grub/grub.cfg
  PATH=/usr/bin:/bin:$PATH
  mformat -C -f 2880 -i efi.img ::
  mmd -i efi.img ::/EFI ::/EFI/BOOT
  mcopy -i efi.img $src/bootx64.efi ::/EFI/BOOT/BOOTX64.EFI
  xorriso -as mkisofs -quiet -volid $volume -rock -o $out/iso/$name \
    --grub2-mbr $src/boot_hybrid.img --protective-msdos-label \
    -b boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot -append_partition 2 0xef efi.img iso
''
