# In front of scripts that look at PATHS below BASE.
nested() { # directories below them where another file system is mounted: what is on it is neither counted nor copied
  STARTS=$(
    eval "set -f; set -- $PATHS; set +f"
    for pattern; do
      # Unquoted on purpose: the pattern's stars are the shell's.
      for start in "${BASE%/}"$pattern; do
        if [ -d "$start" ] && [ ! -L "$start" ]; then (cd "$start" && pwd -P); fi
      done
    done
  )
  export STARTS
  mounts=$(awk '{ n = split(ENVIRON["STARTS"], s, "\n"); for (i = 1; i <= n; i++) if (index($2, s[i] "/") == 1) { print $2; break } }' /proc/self/mounts) ||
    { echo 'a place nobody knows: /proc/self/mounts cannot be read'; return; }
  printf '%s\n' "$mounts" | sort -u | while read -r mount; do
    [ -n "$mount" ] || continue
    mount=$(printf %b "$mount")
    # A single file is copied as what it is; the same file system once more is copied like any directory.
    if [ -f "$mount" ] || [ "$(stat -c %d "$mount" 2>/dev/null)" = "$(stat -c %d "$mount/.." 2>/dev/null)" ]; then continue; fi
    printf '%s\n' "$mount"
  done
}

