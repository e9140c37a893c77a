# Strings.
rec {
  concatStringsSep = builtins.concatStringsSep;
  concatStrings = concatStringsSep "";
  concatMapStrings = f: list: concatStrings (map f list);
  concatMapStringsSep =
    separator: f: list:
    concatStringsSep separator (map f list);
  optionalString = condition: text: if condition then text else "";
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      n = builtins.stringLength text - builtins.stringLength suffix;
    in
    n >= 0 && builtins.substring n (builtins.stringLength suffix) text == suffix;
  hasInfix = infix: text: builtins.replaceStrings [ infix ] [ "" ] text != text;
  removePrefix =
    prefix: text:
    if hasPrefix prefix text then
      builtins.substring (builtins.stringLength prefix) (builtins.stringLength text) text
    else
      text;
  splitString =
    separator: text:
    builtins.filter builtins.isString (
      builtins.split (builtins.replaceStrings [ "." "*" "+" ] [ "\\." "\\*" "\\+" ] separator) text
    );
  trim = text: builtins.head (builtins.match "[ \n]*(.*[^ \n])[ \n]*" text);
  toInt = text: builtins.fromJSON text;
  escapeShellArg =
    value: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString value) + "'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  escapeXML = builtins.replaceStrings [ "&" "<" ">" "\"" "'" ] [ "&amp;" "&lt;" "&gt;" "&quot;" "&apos;" ];
}
