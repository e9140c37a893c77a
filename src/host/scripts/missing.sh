# Which of PATHS (one a line) the store lacks, and how much room it has.
PATHS=${PATHS-}

main() {
  command -v nix-store > /dev/null || refuse "$R_UNSUITABLE" "nix-store was not found"
  invalid=$(printf '%s\n' "$PATHS" | sed '/^$/d' | xargs nix-store --check-validity --print-invalid 2>&1) ||
    refuse "$R_FAILED" "nix-store: $(printf '%s\n' "$invalid" | tail -n 1)"
  printf '{"schema":1,"missing":%s,"storeFree":%s}\n' "$(printf '%s\n' "$invalid" | json_lines)" \
    "$(json_num "$(df -Pk /nix/store 2>/dev/null | sed -n '2p' | awk '{ print $4 }')" 0)"
}
