# Makes /k3os, the root of a node as k3OS has it: BusyBox is the whole userland; beside it only sshd and sudo, from this
# host. OpenRC is a stand-in (rc-service, an init that starts what is in init.d). Sent to a lab host; restart it afterwards.
set -eu
root=/k3os
box=/usr/local/lib/busybox
mkdir -p $root/usr/bin $root/usr/sbin $root/usr/lib $root/usr/lib64 $root/etc/init.d $root/etc/ssh $root/var/local/bin \
  $root/var/empty $root/run $root/tmp $root/proc $root/sys $root/dev $root/lab $root/root $root/home/macula
for dir in bin sbin lib lib64; do ln -sfn usr/$dir $root/$dir; done
ln -sfn ../var/local $root/usr/local
cp $box $root/usr/bin/busybox
for applet in $($box --list); do [ "$applet" = busybox ] || ln -sf busybox "$root/usr/bin/$applet"; done

with_libraries() { # FILE...
  for file; do
    [ -e "$file" ] || continue
    cp -aL --parents "$file" $root/
    for library in $(ldd "$file" 2> /dev/null | grep -o '/[^ ]*'); do
      [ -e "$root$library" ] || cp -aL --parents "$library" $root/
    done
  done
}
with_libraries /usr/sbin/sshd /usr/lib/openssh/sshd-session /usr/lib/openssh/sshd-auth /usr/bin/sudo /usr/libexec/sudo/*.so* \
  /usr/lib/sudo/*.so* /usr/lib/*/security/pam_permit.so
mkdir -p $root/etc/pam.d $root/etc/sudoers.d
printf 'auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n' > $root/etc/pam.d/sudo
printf 'macula ALL=(ALL) NOPASSWD: ALL\nDefaults secure_path="/usr/local/bin:/usr/bin:/usr/sbin"\n' > $root/etc/sudoers
chmod 440 $root/etc/sudoers
chown -R root:root $root/etc/sudoers $root/etc/pam.d
printf 'root:x:0:0::/root:/bin/sh\nsshd:x:74:74::/var/empty:/bin/false\nmacula:x:1000:1000::/home/macula:/bin/sh\n' > $root/etc/passwd
printf 'root:*:1::::::\nsshd:*:1::::::\nmacula:*:1::::::\n' > $root/etc/shadow
printf 'root:x:0:\nsshd:x:74:\nmacula:x:1000:\n' > $root/etc/group
chmod 600 $root/etc/shadow
printf 'ID=maculaos\nID_LIKE=alpine\nVERSION_ID=v0.22\n' > $root/etc/os-release
cp -p /etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key.pub $root/etc/ssh/
# As MaculaOS sets it.
cat > $root/etc/ssh/sshd_config << 'END'
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding no
MaxAuthTries 5
UsePAM no
END
mkdir -p $root/home/macula/.ssh
cat /root/.ssh/authorized_keys >> $root/home/macula/.ssh/authorized_keys
chown -R 1000:1000 $root/home/macula
chmod 700 $root/home/macula $root/home/macula/.ssh
chmod 600 $root/home/macula/.ssh/authorized_keys

cp /usr/local/bin/k3s $root/usr/bin/k3s
cp /etc/lab-k3s /etc/lab-k3s-token $root/etc/
hostname > $root/etc/hostname
echo "127.0.0.1 localhost $(hostname)" > $root/etc/hosts
cat > $root/usr/sbin/rc-service << 'END'
#!/bin/sh
# STAND-IN for OpenRC: NAME start|stop
[ -e "/etc/init.d/$1" ] || { echo "rc-service: service \`$1' does not exist" >&2; exit 1; }
exec sh "/etc/init.d/$1" "$2"
END
cat > $root/etc/init.d/k3s-service << 'END'
case $1 in
  start) start-stop-daemon -S -o -b -m -p /run/k3s.pid -x /bin/sh -- /usr/bin/k3s "$(cat /etc/lab-k3s-role)" ;;
  stop) start-stop-daemon -K -o -q -p /run/k3s.pid || :; rm -f /run/k3s.pid ;;
esac
END
cat > $root/usr/sbin/lab-openrc << 'END'
#!/bin/sh
# STAND-IN for OpenRC's init: /etc is put together anew at each boot on k3OS; here it simply stays.
trap 'exit 0' TERM
mkdir -p /run/sshd
/usr/sbin/sshd
rc-service k3s-service start
while :; do sleep 1 & wait $!; done
END
chmod 755 $root/usr/bin/k3s $root/usr/sbin/rc-service $root/usr/sbin/lab-openrc $root $root/etc $root/var $root/home

# The installed system of a real fleet has this user; the lab's are built without.
id macula > /dev/null 2>&1 || useradd -m -s /bin/sh macula
echo 'macula ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/macula
install -d -m 700 -o macula -g macula /home/macula/.ssh
install -m 600 -o macula -g macula /root/.ssh/authorized_keys /home/macula/.ssh/authorized_keys

# What lab-init boots: PID 1 goes on inside, with /usr read-only. The machine below stays in /lab, for the stand-in of kexec.
mkdir -p /k3os-boot
cat > /k3os-boot/init << 'END'
#!/bin/sh
root=/k3os
for dir in proc sys dev; do mount --rbind /$dir $root/$dir; done
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
mount --bind / $root/lab
mount --bind $root/usr $root/usr
mount -o remount,bind,ro $root/usr
exec chroot $root /bin/sh /usr/sbin/lab-openrc
END
chmod 755 /k3os-boot/init
echo /k3os-boot > /boot/lab-default
