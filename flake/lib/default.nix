# What the flake offers to other flakes: `mkFleet` and its parts.
{
  nixpkgs,
  disko,
  nixos-images ? null,
  overlay,
}:
let
  inherit (nixpkgs) lib;
  inventoryLib = import ./inventory.nix { inherit lib; };
  hostModule = import ./host-module.nix { inherit lib; };

  # Names that `packages` and `checks` are made for.
  systems = [
    "x86_64-linux"
    "aarch64-linux"
  ];

  pkgsFor = lib.genAttrs systems (
    system:
    import nixpkgs {
      inherit system;
      overlays = [ overlay ];
    }
  );

  common = [
    disko.nixosModules.disko
    ../modules
    (import ./shared-pkgs.nix { inherit pkgsFor overlay; })
  ];

  # { inventory } -> everything a fleet's flake exports. `inventory`: file, directory with fleet.json, or data; of a
  # list the first that is there.
  #   operatorKeys  SSH keys for every host's login user and for the installer
  #   modules       modules for every host;   hostModules  name -> modules
  #   specialArgs   as for nixosSystem
  mkFleet =
    arguments:
    let
      args = if lib.isAttrs arguments && arguments ? inventory then arguments else { inventory = arguments; };
      fleet = inventoryLib.load args.inventory;
      operatorKeys = args.operatorKeys or [ ];
      unknown = lib.attrNames (
        removeAttrs args [
          "inventory"
          "operatorKeys"
          "modules"
          "hostModules"
          "specialArgs"
        ]
      );
      strangers = lib.filter (n: !(fleet.hosts ? ${n})) (lib.attrNames (args.hostModules or { }));

      system =
        name: host:
        nixpkgs.lib.nixosSystem {
          specialArgs = args.specialArgs or { };
          modules =
            common
            ++ [ (hostModule fleet operatorKeys host) ]
            ++ (args.modules or [ ])
            ++ (args.hostModules.${name} or [ ]);
        };

      nixosConfigurations =
        if unknown != [ ] then
          throw "mkFleet: unknown argument ${toString unknown}"
        else if strangers != [ ] then
          throw "mkFleet: hostModules for ${toString strangers}, not in the inventory"
        else
          lib.mapAttrs system (lib.filterAttrs (_: h: h.state != "retired") fleet.hosts);

      # Keys that may log in to the installer: the operator's, else everybody's who may log in to some host.
      installerKeys =
        if operatorKeys != [ ] then
          operatorKeys
        else
          lib.unique (
            lib.concatMap (h: lib.concatMap (u: u.keys or [ ]) (lib.attrValues h.users)) (
              lib.attrValues fleet.hosts
            )
          );

      image =
        module: arch:
        nixpkgs.lib.nixosSystem {
          modules = common ++ [
            module
            {
              nixpkgs.hostPlatform = arch;
              system.stateVersion = nixpkgs.lib.trivial.release;
              macula.installer.keys = installerKeys;
              services.macula.realm = fleet.fleet.realm;
            }
          ];
        };

      # What a host needs outside the store, for the tool to deliver. References only.
      secrets = lib.mapAttrs (
        _: c:
        lib.mapAttrs (_: s: {
          inherit (s)
            ref
            entries
            path
            mode
            owner
            units
            installOnly
            ;
        }) c.config.macula.secrets
      ) nixosConfigurations;
    in
    {
      inherit nixosConfigurations secrets;

      packages = lib.genAttrs systems (
        arch:
        {
          iso = (image ../images/installer.nix arch).config.system.build.images.iso;
        }
        // lib.optionalAttrs (arch == "aarch64-linux") {
          sdcard = (image ../images/unpaired.nix arch).config.system.build.images.sd-card;
        }
        // lib.optionalAttrs (nixos-images != null) {
          kexec =
            (nixpkgs.lib.nixosSystem {
              modules = [
                nixos-images.nixosModules.kexec-installer
                nixos-images.nixosModules.noninteractive
                {
                  nixpkgs.hostPlatform = arch;
                  system.kexec-installer.name = "macula-kexec";
                }
              ];
            }).config.system.build.kexecInstallerTarball;
        }
        // (
          let
            first = lib.findFirst (n: fleet.hosts.${n}.arch == arch && nixosConfigurations ? ${n}) null fleet.order;
          in
          lib.optionalAttrs (first != null) { vm = nixosConfigurations.${first}.config.system.build.vm; }
        )
      );

      checks = lib.genAttrs systems (arch: {
        no-secrets = import ../checks/no-secrets.nix {
          inherit lib;
          pkgs = pkgsFor.${arch};
          hosts = lib.filterAttrs (n: _: fleet.hosts.${n}.arch == arch) nixosConfigurations;
        };
      });

      # By host, not evaluated by `nix flake check`: .#hosts.node-01.{toplevel,diskoScript,vm,sdcard}
      legacyPackages = lib.genAttrs systems (arch: {
        hosts = lib.mapAttrs (
          _: c:
          {
            inherit (c.config.system.build) toplevel diskoScript vm;
          }
          // lib.optionalAttrs (arch == "aarch64-linux") { sdcard = c.config.system.build.images.sd-card; }
        ) (lib.filterAttrs (n: _: fleet.hosts.${n}.arch == arch) nixosConfigurations);
      });
    };
in
{
  inherit mkFleet pkgsFor systems;
  inventory = inventoryLib;
}
