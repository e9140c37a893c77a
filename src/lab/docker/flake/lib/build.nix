# The tools every derivation has: a busybox and a way to run a script with it.
{ busybox, system }:
rec {
  tools = derivation {
    name = "busybox-static";
    inherit system;
    builder = busybox;
    args = [
      "sh"
      "-euc"
      ''
        ${busybox} mkdir -p $out/bin
        ${busybox} cp ${busybox} $out/bin/busybox
        for applet in $($out/bin/busybox --list); do
          [ $applet = busybox ] || $out/bin/busybox ln -s busybox $out/bin/$applet
        done
      ''
    ];
  };
  sh = "${tools}/bin/sh";

  # Attributes become environment variables of the script.
  run = name: attrs: script: derivation ({
    inherit name system script;
    builder = sh;
    args = [ "-eu" "-c" ". $scriptPath" ];
    passAsFile = [ "script" ];
    PATH = "${tools}/bin";
  } // attrs);

  # Filter for scripts: every @name@ listed in $names becomes the value of that variable.
  substitute = "awk 'BEGIN { n = split(ENVIRON[\"names\"], name, \" \") } { for (i = 1; i <= n; i++) gsub(\"@\" name[i] \"@\", ENVIRON[name[i]]); print }'";
}
