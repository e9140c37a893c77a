# What a service needs mounted before it may write into a directory: the directory, and every data disk below it. Those
# are `nofail`, so the boot does not wait for them, and what is written before they come would lie hidden beneath them.
{ lib }:
data: directory:
[ directory ]
++ lib.filter (lib.hasPrefix "${directory}/") (lib.mapAttrsToList (_: disk: disk.mountpoint) data)
