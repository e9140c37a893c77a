# macula-adopt SOURCE TARGET: once, fill a service's empty directory with what its predecessor on k3OS left.
# SOURCE stays as it is: a conversion proves it unchanged, and it is the way back. Whole or not at all.
export LC_ALL=C
source=${1:?source} target=${2:?target}
stage=$target/.macula-adopt
[ -d "$source" ] || exit 0
rm -rf "$stage"
[ -z "$(ls -A "$target")" ] || exit 0
mkdir "$stage" && cp -a "$source/." "$stage/" && chown -R --reference="$target" "$stage" || exit 1
find "$stage" -mindepth 1 -maxdepth 1 -exec mv -t "$target" {} + && rmdir "$stage"
