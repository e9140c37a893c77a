# What an installation needs to know beforehand. Changes nothing; works on any Linux with a POSIX shell.
ELEVATION=${ELEVATION-none}

has() { command -v "$1" > /dev/null 2>&1; }
tools() { for t in tar cpio gzip setsid kexec wget curl sudo doas nix-store nixos-install disko sgdisk; do ! has "$t" || printf '%s\n' "$t"; done; }
os_field() { sed -n "s/^$1=\"\\{0,1\\}\\([^\"]*\\)\"\\{0,1\\}\$/\\1/p" /etc/os-release 2>/dev/null | head -n 1; }

container() {
  if has systemd-detect-virt; then systemd-detect-virt --container 2>/dev/null && return; fi
  if [ -e /.dockerenv ]; then echo docker; else echo none; fi
}

secure_boot() {
  for v in /sys/firmware/efi/efivars/SecureBoot-*; do
    [ -e "$v" ] || continue
    [ "$(od -An -t u1 -j 4 -N 1 "$v" 2>/dev/null | tr -d ' ')" != 1 ] || echo 1
    return
  done
}

# Which network device the default route uses, and of what kind it is.
uplink() {
  device=$(ip -o route show default 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
  [ -n "$device" ] || device=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route 2>/dev/null)
  kind=none
  if [ -n "$device" ]; then
    kind=ethernet
    [ ! -d "/sys/class/net/$device/wireless" ] || kind=wifi
    case $device in wg* | tun* | tailscale* | tap*) kind=tunnel ;; ww* | ppp*) kind=mobile ;; br*) kind=bridge ;; bond*) kind=bond ;; esac
  fi
  printf '{"device":%s,"kind":"%s","mac":%s}' "$(json_str "$device")" "$kind" "$(json_str "$(read_file "/sys/class/net/${device:-none}/address")")"
}

by_id() { # DISK: its stable names
  for l in /dev/disk/by-id/*; do
    [ "$(link "$l")" = "/dev/$1" ] || continue
    printf '%s\n' "$l"
  done
}

partitions() { # DISK
  for p in "/sys/block/$1/$1"*; do
    [ -e "$p/partition" ] || continue
    type=$(blkid -s TYPE -o value "/dev/${p##*/}" 2>/dev/null)
    label=$(sed -n 's/^PARTNAME=//p' "$p/uevent" 2>/dev/null)
    printf '%s %s %s%s\n' "/dev/${p##*/}" "$(($(cat "$p/size") / 2))" "$type" "${label:+ $label}"
  done
}

# Zeros in its first and last 4 MiB: no table, file system, array or volume group, not even of a kind that blkid would
# have to know. What cannot be read is not blank.
blank() { # DISK KIB
  marks=$({
    dd if="/dev/$1" bs=4096 count=1024 || echo unreadable
    [ "$2" -le 4096 ] || dd if="/dev/$1" bs=4096 skip=$(($2 / 4 - 1024)) || echo unreadable
  } 2>/dev/null | tr -d '\0' | wc -c)
  [ "$2" -gt 0 ] && [ "$marks" -eq 0 ]
}

disks() {
  first=1
  for d in /sys/block/*; do
    name=${d##*/}
    case $name in loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd* | \*) continue ;; esac
    [ -n "$first" ] || printf ','
    first=''
    serial=$(disk_serial "$name")
    kib=$(($(json_num "$(cat "$d/size" 2>/dev/null)" 0) / 2))
    printf '{"name":"/dev/%s","size":%s,"model":%s,"serial":%s,' "$name" "$kib" \
      "$(json_str "$(read_file "$d/device/model")")" "$(json_str "$serial")"
    printf '"removable":%s,"rotational":%s,' "$(json_bool "$(sed 's/^0$//' "$d/removable" 2>/dev/null)")" "$(json_bool "$(sed 's/^0$//' "$d/queue/rotational" 2>/dev/null)")"
    printf '"byId":%s,"partitions":%s,' "$(by_id "$name" | json_lines)" "$(partitions "$name" | json_lines)"
    printf '"mounted":%s,' "$(awk -v d="/dev/$name" 'index($1, d) == 1 { print $2 }' /proc/mounts | json_lines)"
    printf '"blank":%s}' "$(json_bool "$(! blank "$name" "$kib" || echo 1)")"
  done
}

main() {
  boot=bios
  [ ! -d /sys/firmware/efi ] || boot=uefi
  model=$(read_file /proc/device-tree/model)
  case $model in *Raspberry*) boot=rpi ;; esac
  [ -n "$model" ] || model=$(read_file /sys/class/dmi/id/product_name)
  kexec_off=$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null || echo 1)
  lockdown=$(sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/security/lockdown 2>/dev/null)
  machine=$(read_file /etc/machine-id)
  printf '{"schema":1,"hostname":%s,' "$(json_str "$(cat /proc/sys/kernel/hostname)")"
  printf '"os":{"id":%s,"version":%s,"variant":%s},' "$(json_str "$(os_field ID)")" "$(json_str "$(os_field VERSION_ID)")" "$(json_str "$(os_field VARIANT_ID)")"
  printf '"kernel":%s,"arch":%s,"memory":%s,' "$(json_str "$(uname -r)")" "$(json_str "$(uname -m)")" "$(json_num "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)" 0)"
  printf '"bootMode":"%s","secureBoot":%s,"lockdown":%s,' "$boot" "$(json_bool "$(secure_boot)")" "$(json_str "${lockdown:-none}")"
  printf '"kexec":%s,' "$(json_bool "$([ "$kexec_off" != 0 ] || [ "${lockdown:-none}" = confidentiality ] || [ "${lockdown:-none}" = integrity ] || echo 1)")"
  printf '"container":%s,"virtualization":%s,' "$(json_str "$(container | head -n 1)")" "$(json_str "$(systemd-detect-virt --vm 2>/dev/null | head -n 1)")"
  printf '"model":%s,"serial":%s,"machineId":%s,' "$(json_str "$model")" "$(json_str "$(read_file /sys/class/dmi/id/product_serial)")" "$(json_str "$machine")"
  printf '"tools":%s,"uplink":%s,' "$(tools | json_lines)" "$(uplink)"
  printf '"macs":%s,' "$(for n in /sys/class/net/*; do case ${n##*/} in lo | \*) ;; *) read_file "$n/address" ;; esac; done | json_lines)"
  printf '"disks":[%s],' "$(disks)"
  printf '"hostKeys":%s,' "$(cat /etc/ssh/ssh_host_*_key.pub 2>/dev/null | sed 's/^\([^ ]* [^ ]*\).*/\1/' | json_lines)"
  printf '"current":%s,"bootId":"%s","elevation":"%s"}\n' "$(json_str "$(system_link /run/current-system)")" "$(boot_id)" "$ELEVATION"
}
