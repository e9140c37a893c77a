# macula-adopt SOURCE TARGET: once, fill a service's empty directory with what its predecessor on k3OS left.
# SOURCE stays as it is: a conversion proves it unchanged, and it is the way back. Whole or not at all: a copy that was
# cut off begins anew, a whole one is moved to its place however often that is cut off.
export LC_ALL=C
source=${1:?source} target=${2:?target}
stage=$target/.macula-adopt whole=$target/.macula-adopt-whole
if [ ! -d "$whole" ]; then
  [ -d "$source" ] || exit 0
  rm -rf "$stage"
  [ -z "$(ls -A "$target")" ] || exit 0
  mkdir "$stage" && cp -a "$source/." "$stage/" && chown -R --reference="$target" "$stage" || exit 1
  # On the disk before its name says so.
  sync -f "$stage" && mv -T "$stage" "$whole" || exit 1
fi
find "$whole" -mindepth 1 -maxdepth 1 -exec mv -t "$target" {} + && rmdir "$whole"
