#!@sh@
# Stage 2: PID 1 of the machine until systemd takes over.
PATH=@tools@/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
if [ -n "@noBoot@" ]; then
  echo "Kernel panic - not syncing: this release cannot boot"
  exit 1
fi
if [ -e /var/lib/lab/fault/no-boot ] && [ "$(cat /var/lib/lab/fault/no-boot)" != "@out@" ]; then
  echo "Kernel panic - not syncing: made to fail on this host (lab fault no-boot)"
  exit 1
fi
if [ -n "@bootHangs@" ]; then
  echo "this release never gets any further"
  while :; do sleep 3600; done
fi
ln -sfn @out@ /run/booted-system
@out@/activate || echo "activation failed, going on as NixOS does"
echo "starting systemd..."
exec /sbin/init
