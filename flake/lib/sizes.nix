# Sizes as people write them (`1GiB`, `512M`).
{ lib }:
let
  parse =
    size:
    let
      parts = builtins.match "([0-9]+) ?([KMGT])(i?B)?" size;
    in
    if parts == null then
      throw "macula: \"${size}\" is not a size such as 512MiB or 8GiB"
    else
      {
        digits = builtins.elemAt parts 0;
        unit = builtins.elemAt parts 1;
      };
in
{
  # What sgdisk and disko take: `1G`.
  toDisko = size: (parse size).digits + (parse size).unit;

  toMiB =
    size:
    let
      inherit (parse size) digits unit;
      n = lib.toInt digits;
    in
    {
      K = n / 1024;
      M = n;
      G = n * 1024;
      T = n * 1024 * 1024;
    }
    .${unit};
}
