# Lists what is at PATHS below BASE, with owner, mode, size and sha256 of every file; changes nothing but a list in /run.
# MODE=list prints the manifest; MODE=archive writes a tar of exactly the listed things to stdout and its sha256 to stderr.
set -u
PATH=${PATH:-}:/run/wrappers/bin:/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 077
die() {
  printf 'macula-fleet: %s\n' "$1" >&2
  exit 1
}
WORK=$(mktemp -d "${TMPDIR:-/run}/macula-fleet-manifest.XXXXXX") || die 'no room for a list'
trap 'rm -rf "$WORK"' EXIT

starts() { # what of the patterns is there, relative, with its stars resolved; nothing twice
  eval "set -f; set -- $PATHS; set +f"
  for pattern; do
    for path in .$pattern; do
      if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\0' "$path"; fi
    done
  done | sort -zu
}

list() { # what find takes: things of one kind. Sockets and devices are made anew; other file systems are not ours.
  xargs -0 -r -I '{}' find '{}' -xdev "$@" -print0 < "$WORK/starts" | sort -zu
}

main() {
  cd "$BASE" || die "no $BASE"
  starts > "$WORK/starts"
  # Sockets and devices are made anew by what uses them. Other file systems are somebody else's.
  list -type f > "$WORK/files" && list -type l > "$WORK/links" && list -type d > "$WORK/directories" || die 'cannot list'
  sort -zu "$WORK/files" "$WORK/links" "$WORK/directories" > "$WORK/all"
  if [ "$MODE" = list ]; then
    echo NAMES
    base64 < "$WORK/all"
    echo STATS
    xargs -0 -r stat -c '%a %u %g %s %f' < "$WORK/all" || die 'something went away while it was listed'
    echo FILES
    base64 < "$WORK/files"
    echo SUMS
    # A name with a newline is shown with a backslash in front of the line.
    xargs -0 -r sha256sum < "$WORK/files" | sed -e 's/^\\//' | cut -c 1-64
    echo LINKS
    base64 < "$WORK/links"
    echo TARGETS
    xargs -0 -r sh -c 'for f; do readlink "$f" | sha256sum | cut -c 1-64; done' _ < "$WORK/links"
    echo END
    return
  fi
  attributes=
  [ "$(tar --help 2>/dev/null | grep -c -e --acls)" = 0 ] || attributes='--acls --xattrs --xattrs-include=*'
  mkfifo "$WORK/pipe" || die 'no pipe'
  sha256sum < "$WORK/pipe" > "$WORK/sum" &
  set -f
  tar --create --file=- --format=posix --numeric-owner --no-recursion --null $attributes --files-from="$WORK/all" 2> "$WORK/err" | tee "$WORK/pipe"
  wait
  # Without pipefail, tar's own words tell whether it was content.
  if grep -qv -e 'Removing leading' -e 'socket ignored' "$WORK/err"; then
    head -n 5 "$WORK/err" >&2
    die 'tar was not content'
  fi
  printf 'sha256 %s\n' "$(cut -c 1-64 "$WORK/sum")" >&2
}
main < /dev/null
