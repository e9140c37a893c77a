# What a release (release.json) says about one host.
# {
#   "name": "r2", "revision": 2,
#   "fault": { … },                         every host
#   "hosts": { "node-03": { "fault": { … }, "revision": 1 } }
# }
# fault: unitFails, crashAfter (seconds), activateExit, sleep (seconds), killSshd, loseSshd, dropNetwork,
#        inhibited, initChanges, kernelChanges, bootloaderFails, noBoot. See switch-to-configuration.sh.
release: name:
let
  own = (release.hosts or { }).${name} or { };
in
{
  revision = toString (own.revision or release.revision or 1);
  units = own.units or release.units or [ "lab-app" ];
  fault = (release.fault or { }) // (own.fault or { });
}
