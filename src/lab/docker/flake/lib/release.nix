# What a release (release.json) says about one host.
# {
#   "name": "r2",
#   "fault": { … },                         every host
#   "hosts": { "node-03": { "fault": { … }, "units": [ "macula-node", "extra" ] } }
# }
# fault: unitFails, crashAfter (seconds), activateExit, sleep (seconds), killSshd, loseSshd, dropNetwork,
#        inhibited, initChanges, kernelChanges, bootloaderFails, noBoot, bootHangs, noBuild, kernelParams (a list).
release: name:
let
  own = (release.hosts or { }).${name} or { };
in
{
  revision = release.name or "r1";
  units = own.units or release.units or [ "macula-node" ];
  fault = (release.fault or { }) // (own.fault or { });
}
