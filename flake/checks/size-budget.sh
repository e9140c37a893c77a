# size-budget NAME FILE-PATTERN MEBIBYTES [STORE-PATHS]: fails when the file is over budget, and says what fills it.
# STORE-PATHS: file listing the closure, one path a line.
set -eu
name=$1 pattern=$2 budget=$3 paths=${4-}
# shellcheck disable=SC2086
set -- $pattern
if [ $# -ne 1 ] || [ ! -f "$1" ]; then
  echo "$name: expected one file for $pattern" >&2
  exit 1
fi
bytes=$(wc -c <"$1" | tr -d ' ')
mebibytes=$(((bytes + 1048575) / 1048576))
echo "$name: $mebibytes MiB of $budget MiB"
if [ -n "$paths" ]; then
  echo "Largest store paths (MiB):"
  # shellcheck disable=SC2046
  du -sm $(cat "$paths") | sort -rn | head -n 20
fi
if [ "$mebibytes" -gt "$budget" ]; then
  echo "$name is $((mebibytes - budget)) MiB over its budget" >&2
  exit 1
fi
