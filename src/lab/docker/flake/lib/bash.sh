#!@sh@
# What an installer finds as bash inside the new system. busybox runs its own applets before $PATH, so the
# options of mount(8) and umount(8) that it lacks are functions.
while [ "${1-}" = --login ]; do shift; done
[ "${1-}" = -c ] || exec @sh@ "$@"
shift
command=$1
shift
exec @sh@ -c '
mount() { if [ "$2" = --mkdir ]; then mkdir -p "$4"; command mount "$1" "$3" "$4"; else command mount "$@"; fi; }
umount() { if [ "$1" = -R ]; then command umount -l "$2"; else command umount "$@"; fi; }
'"$command" "$@"
