#!/bin/sh
# Last step of building the machine's file system: customize.sh ROOTFS RECIPE_DIR OUT (run by mmdebstrap as root).
# Leaves a kernel, an initrd and an installer's initrd in OUT.
set -eu
root=${1:?} recipe=${2:?} out=${3:?}

for loader in grub systemd-boot; do
  install -m 755 "$recipe/install-$loader" "$root/usr/local/sbin/lab-install-$loader"
done
install -m 644 "$recipe/network.service" "$root/etc/systemd/system/lab-network.service"
mkdir -p "$root/etc/nix" "$root/etc/ssh/sshd_config.d" "$root/etc/systemd/journald.conf.d" "$root/boot/grub" "$root/root/.ssh"
printf '%s\n' 'experimental-features = nix-command flakes' 'build-users-group =' 'sandbox = false' 'substituters =' > "$root/etc/nix/nix.conf"
printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'UseDNS no' 'MaxStartups 100:30:200' > "$root/etc/ssh/sshd_config.d/lab.conf"
printf '%s\n' '[Journal]' 'Storage=volatile' 'RuntimeMaxUse=16M' > "$root/etc/systemd/journald.conf.d/lab.conf"
{
  echo 'NAME=NixOS'
  echo 'ID=nixos'
  echo 'VERSION_ID="26.05"'
  echo 'PRETTY_NAME="NixOS 26.05 (lab stand-in)"'
} > "$root/etc/os-release.lab"
rm -f "$root/etc/os-release"
mv "$root/etc/os-release.lab" "$root/etc/os-release"
touch "$root/etc/NIXOS" "$root/etc/default/locale"
: > "$root/etc/fstab"
echo node-01 > "$root/etc/hostname"
chmod 700 "$root/root/.ssh"
dd if=/dev/urandom bs=16 count=1 2> /dev/null | od -An -tx1 | tr -d ' \n' > "$root/etc/machine-id"
echo >> "$root/etc/machine-id"

chroot "$root" systemctl enable ssh.service lab-network.service
chroot "$root" systemctl set-default multi-user.target
# An emulated processor is slow: nothing starts that these tests do not look at.
chroot "$root" systemctl mask \
  systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
  systemd-udev-settle.service systemd-udev-load-credentials.service systemd-modules-load.service systemd-sysctl.service \
  systemd-remount-fs.service systemd-random-seed.service systemd-hwdb-update.service systemd-binfmt.service \
  systemd-pcrlock-make-policy.service systemd-journal-catalog-update.service systemd-update-done.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
  dev-hugepages.mount dev-mqueue.mount systemd-firstboot.service systemd-timesyncd.service systemd-networkd.service \
  systemd-update-utmp.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup-dev-early.service \
  systemd-tpm2-setup.service systemd-tpm2-setup-early.service systemd-boot-random-seed.service systemd-growfs-root.service \
  ldconfig.service systemd-logind.service user@.service user-runtime-dir@.service getty.target serial-getty@.service \
  console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer systemd-tmpfiles-clean.timer ssh.socket grub-common.service systemd-resolved.service \
  2> /dev/null || true
sed -i 's/^-\?session.*pam_systemd\.so.*/# &/' "$root/etc/pam.d/common-session"

# --- GRUB's own files: the core in front of the file system has its modules built in.
chroot "$root" grub-editenv /boot/grub/grubenv create
cp "$root/usr/lib/grub/i386-pc/boot.img" "$out/boot.img"
chroot "$root" grub-mkimage --format=i386-pc --output=/core.img --prefix='(hd0,msdos1)/boot/grub' \
  biosdisk part_msdos ext2 normal configfile linux search search_label loadenv test serial terminal echo minicmd
mv "$root/core.img" "$out/core.img"
cp "$root/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$out/systemd-boot.efi"
cp "$root/usr/lib/grub/i386-pc/boot_hybrid.img" "$out/boot_hybrid.img"
# For a medium that is found by its label: one for BIOS, one for UEFI.
iso_modules='iso9660 part_gpt part_msdos fat normal configfile linux search search_label serial terminal echo minicmd test'
printf '%s\n' 'search --set=root --label MACULAOS_LAB' 'set prefix=($root)/boot/grub' > "$root/iso.cfg"
chroot "$root" grub-mkimage --format=i386-pc-eltorito --config=/iso.cfg --output=/eltorito.img --prefix=/boot/grub biosdisk $iso_modules
chroot "$root" grub-mkimage --format=x86_64-efi --config=/iso.cfg --output=/bootx64.efi --prefix=/boot/grub $iso_modules
mv "$root/eltorito.img" "$root/bootx64.efi" "$out/"
rm "$root/iso.cfg"

# --- Kernel and initrd: a package of the suite, unpacked here because its installation would build an initrd of its own.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export APT_CONFIG="${MMDEBSTRAP_APT_CONFIG:?}"
package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\).*/\1/p' | head -n 1)
# kexec and what it is linked with: an installer brings them along.
xen=$(apt-cache depends --recurse --important kexec-tools | grep '^libxen' | sort -u)
apt-get -o APT::Sandbox::User=root download "$package" kexec-tools $xen
dpkg-deb -x ./linux-image-*.deb kernel
mkdir -p kexec/lib
for deb in kexec-tools_*.deb libxen*.deb; do dpkg-deb -x "./$deb" tools; done
find tools -path '*sbin/kexec' -exec install -m 755 {} kexec/kexec \;
find tools -name '*.so.*' -exec cp -P {} kexec/lib/ \;
tar -C kexec -cf "$out/kexec.tar" .
cp kernel/boot/vmlinuz-* "$out/kernel"
for base in kernel/usr/lib kernel/lib; do [ ! -d "$base/modules" ] || modules=$base/modules; done
version=$(ls "$modules")
find "$modules" -name '*.ko.xz' -exec xz -d {} +
mkdir -p depend/lib initrd/bin initrd/modules
mv "$modules" depend/lib/modules
depmod -b depend "$version"
cp "$root/usr/bin/busybox" initrd/bin/busybox 2> /dev/null || cp "$root/bin/busybox" initrd/bin/busybox
for module in crc32c crc32c_generic virtio_pci virtio_blk ext4 virtio_net virtio_rng vfat nls_cp437 nls_ascii efivarfs; do
  modprobe -d depend -S "$version" --show-depends "$module" 2> /dev/null || true
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r file; do
  cp "$file" initrd/modules/
  echo "${file##*/}"
done > order
mv order initrd/modules/order
install -m 755 "$recipe/initrd-init" initrd/init
(cd initrd && find . | cpio --quiet -o -H newc) | gzip -1 > "$out/initrd"
# What is appended to it must begin at a multiple of four.
truncate -s %4 "$out/initrd"
echo "$version" > "$out/version"
rm -rf "${root:?}"/var/cache/apt/* "${root:?}"/var/lib/apt/lists/*
sh "$recipe/installer.sh" "$root" "$recipe" "$work/initrd/modules" "$out/installer"
