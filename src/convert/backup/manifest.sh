# Lists what is at PATHS below BASE, with owner, mode, size and sha256 of every file; changes nothing but a list in /run.
# STRICT=1: fails when something below them could not be in a copy.
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

# COMMAND with the names of stdin behind it. BusyBox' xargs mixes names up when it runs one of its own programs itself.
each() { xargs -0 -r sh -c 'exec "$@"' _ "$@"; }

list() { # KIND: what find takes of it, below the starts, which all begin with `./`
  xargs -0 -r sh -c 'kind=$1; shift; exec find "$@" -xdev -type "$kind" -print0' _ "$1" < "$WORK/starts" | sort -zu
}

pack() { # a tar of all to stdout
  if tar --version 2>/dev/null | grep -q GNU; then
    attributes=
    [ "$(tar --help 2>/dev/null | grep -c -e --acls)" = 0 ] || attributes='--acls --xattrs --xattrs-include=*'
    # Unquoted on purpose: several words, whose star is tar's.
    set -f
    tar --create --file=- --format=posix --numeric-owner --no-recursion --null $attributes --files-from="$WORK/all"
  else
    # BusyBox takes no list of names that may hold newlines, so it gets them as arguments: one archive per portion.
    each tar -c -f - --numeric-owner --no-recursion < "$WORK/all"
  fi
}

main() {
  cd "$BASE" || die "no $BASE"
  other=$([ -z "$STRICT" ] || nested | head -n 5)
  [ -z "$other" ] || die "nothing is copied of other file systems, and one is mounted at $other"
  starts > "$WORK/starts"
  # Sockets and devices are made anew by what uses them. Other file systems are somebody else's (see STRICT).
  list f > "$WORK/files" && list l > "$WORK/links" && list d > "$WORK/directories" || die 'cannot list'
  sort -zu "$WORK/files" "$WORK/links" "$WORK/directories" > "$WORK/all"
  if [ "$MODE" = list ]; then
    echo NAMES
    base64 < "$WORK/all"
    echo STATS
    each stat -c '%a %u %g %s %f' < "$WORK/all" || die 'something went away while it was listed'
    echo FILES
    base64 < "$WORK/files"
    echo SUMS
    # A name with a newline is shown with a backslash in front of the line (GNU), or as more lines (BusyBox).
    each sha256sum < "$WORK/files" | sed -n 's/^\\\{0,1\}\([0-9a-f]\{64\}\)  .*/\1/p'
    echo LINKS
    base64 < "$WORK/links"
    echo TARGETS
    xargs -0 -r sh -c 'for f; do readlink "$f" | sha256sum | cut -c 1-64; done' _ < "$WORK/links"
    echo END
    return
  fi
  mkfifo "$WORK/pipe" || die 'no pipe'
  sha256sum < "$WORK/pipe" > "$WORK/sum" &
  { pack; echo $? > "$WORK/status"; } 2> "$WORK/err" | tee "$WORK/pipe"
  wait
  # Without pipefail: how tar ended, and whether it said more than what it always says.
  if [ "$(cat "$WORK/status")" != 0 ] || grep -qv -e 'emoving leading' -e 'socket ignored' "$WORK/err"; then
    head -n 5 "$WORK/err" >&2
    die 'tar was not content'
  fi
  printf 'sha256 %s\n' "$(cut -c 1-64 "$WORK/sum")" >&2
}
main < /dev/null
