# config.system.build.{toplevel,diskoScript} of one host, with the files and the behaviour a deployer relies on.
{ busybox, release }: name: host:
let
  system = host.arch or "x86_64-linux";
  build = import ./build.nix { inherit busybox system; };
  inherit (build) run sh tools substitute;
  own = import ./release.nix release name;
  inherit (own) revision fault;
  named = host.disk.device or "";
  device = if builtins.substring 0 1 named == "/" then named else "/dev/vda";
  flag = fault: if fault then "1" else "";
  version = "26.05.lab-${revision}";

  # Made reproducible by a seeded generator: the same path has the same content wherever it is built.
  payload = pname: seed: kib: run pname { inherit seed; kib = toString kib; } ''
    mkdir -p $out/share
    awk -v seed=$(printf %s "$seed" | cksum | cut -d " " -f 1) -v kib=$kib 'BEGIN {
      srand(seed + 0)
      for (i = 0; i < kib * 128; i++) printf "%08x", int(rand() * 2147483647)
    }' > $out/share/blob
  '';
  # Shared by all hosts and releases: sent once. The delta: new with each release.
  shared = payload "shared-payload-1.0" 1 2048;
  delta = payload "release-payload-${revision}" revision 256;

  app = run "lab-app-1.0-${revision}" { inherit delta shared revision sh tools; src = ./lab-app.sh; names = "sh tools out"; } ''
    mkdir -p $out/bin $out/www
    ln -s $shared/share/blob $out/www/shared
    ln -s $delta/share/blob $out/www/delta
    echo "$revision" > $out/www/version
    echo ok > $out/www/healthz
    ${substitute} $src > $out/bin/lab-app
    chmod +x $out/bin/lab-app
  '';

  systemPath = run "system-path" { inherit app tools sh; src = ./bash.sh; names = "sh"; } ''
    mkdir -p $out/bin
    for tool in $tools/bin/*; do ln -s $tool $out/bin/; done
    ln -s $app/bin/lab-app $out/bin/
    ${substitute} $src > $out/bin/bash
    chmod +x $out/bin/bash
  '';

  etc = run "etc" {
    inherit app tools revision;
    hostName = name;
    units = builtins.concatStringsSep " " own.units;
    unitFails = flag (fault.unitFails or false);
    crashAfter = toString (fault.crashAfter or "");
  } ''
    dir=$out/etc/systemd/system
    mkdir -p $dir
    echo "$hostName" > $out/etc/hostname
    port=8080
    for unit in $units; do
      {
        echo '[Unit]'
        echo "Description=Lab workload of $hostName, release $revision"
        # Labs activate more often within seconds than systemd would let a unit start.
        echo 'StartLimitIntervalSec=0'
        echo '[Service]'
        echo "Environment=LAB_UNIT_FAILS=$unitFails LAB_CRASH_AFTER=$crashAfter"
        echo "ExecStartPre=$app/bin/lab-app check"
        echo "ExecStart=$app/bin/lab-app serve $port"
        echo '[Install]'
        echo 'WantedBy=multi-user.target'
      } > $dir/$unit.service
      port=$((port + 1))
    done
  '';

  kernel = if fault.kernelChanges or false then "6.18.0-${revision}" else "6.12.1";
  # A machine that has a kernel of its own: boot/{kernel,initrd} beside flake.nix. Containers get by with two words.
  bootable = builtins.pathExists ../boot/kernel;
  linux = run "linux-${kernel}" (if bootable then { inherit kernel; boot = "${../boot}"; } else { inherit kernel; boot = ""; }) ''
    mkdir -p $out
    if [ -n "$boot" ]; then
      cp $boot/kernel $out/bzImage
      # Another release is another file, with the release's name in it.
      echo "$kernel" > lab-release
      { cat $boot/initrd; echo lab-release | cpio -o -H newc; } > $out/initrd
    else
      echo "kernel $kernel" > $out/bzImage
      echo "initrd for $kernel" > $out/initrd
    fi
  '';
  initInterface = if fault.initChanges or false then "2.${revision}" else "2";

  toplevel = run "nixos-system-${name}-${version}" {
    inherit etc systemPath sh tools system version kernel linux initInterface;
    src = ./.;
    names = "out sh tools activateExit sleep killSshd loseSshd dropNetwork inhibited bootloaderFails noBoot bootHangs";
    activateExit = toString (fault.activateExit or "");
    sleep = toString (fault.sleep or "");
    killSshd = flag (fault.killSshd or false);
    loseSshd = flag (fault.loseSshd or false);
    dropNetwork = flag (fault.dropNetwork or false);
    inhibited = flag (fault.inhibited or false);
    bootloaderFails = flag (fault.bootloaderFails or false);
    noBoot = flag (fault.noBoot or false);
    bootHangs = flag (fault.bootHangs or false);
    noBuild = flag (fault.noBuild or false);
    kernelParams = builtins.concatStringsSep " " ([ "loglevel=4" ] ++ (host.hardware.consoles or [ ]) ++ (fault.kernelParams or [ ]));
  } ''
    [ -z "$noBuild" ] || { echo "this release does not build"; exit 1; }
    mkdir -p $out/bin $out/specialisation $out/kernel-modules/lib/modules/$kernel
    printf %s "$version" > $out/nixos-version
    printf %s "$system" > $out/system
    printf %s "$kernelParams" > $out/kernel-params
    printf %s "$initInterface" > $out/init-interface-version
    ln -s $linux/bzImage $out/kernel
    ln -s $linux/initrd $out/initrd
    ln -s $etc/etc $out/etc
    ln -s $systemPath $out/sw
    ${substitute} $src/switch-to-configuration.sh > $out/bin/switch-to-configuration
    ${substitute} $src/activate.sh > $out/activate
    ${substitute} $src/init.sh > $out/init
    chmod +x $out/activate $out/init $out/bin/switch-to-configuration
    cat > $out/boot.json <<END
    {"org.nixos.bootspec.v1":{"init":"$out/init","initrd":"$out/initrd","kernel":"$out/kernel","kernelParams":["''${kernelParams// /\",\"}"],"label":"NixOS $version (lab)","system":"$system","toplevel":"$out"}}
    END
  '';

  diskoScript = run "disko" { inherit sh; src = ./disko.sh; inherit device; names = "device"; } ''
    ${substitute} $src > $out
    chmod +x $out
  '';
in
{
  pkgs.system = system;
  config = {
    networking.hostName = name;
    nixpkgs.hostPlatform.system = system;
    nix.settings = { substituters = [ ]; trusted-public-keys = [ ]; };
    system.build = { inherit toplevel diskoScript; };
    system.nixos = { inherit version; label = version; };
  };
}
