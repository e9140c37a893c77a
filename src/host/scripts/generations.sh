# The generations of the system profile, oldest first.
main() {
  active=$(readlink $PROFILE 2>/dev/null)
  printf '{"schema":1,"generations":['
  first=1
  for number in $(ls -d $PROFILE-*-link 2>/dev/null | sed -n 's/.*system-\([0-9]*\)-link$/\1/p' | sort -n); do
    file=$PROFILE-$number-link
    path=$(link "$file")
    [ -e "$path" ] || continue
    [ -n "$first" ] || printf ','
    first=''
    kernel=''
    for modules in "$path"/kernel-modules/lib/modules/*; do [ ! -e "$modules" ] || kernel=${modules##*/}; done
    printf '{"number":%s,"path":%s,"date":%s,' "$number" "$(json_str "$path")" "$(json_num "$(stat -c %Y "$file" 2>/dev/null)" 0)"
    printf '"version":%s,"kernel":%s,' "$(json_str "$(cat "$path/nixos-version" 2>/dev/null)")" "$(json_str "$kernel")"
    printf '"current":%s}' "$(json_bool "$([ "${active##*/}" != "${file##*/}" ] || echo 1)")"
  done
  printf ']}\n'
}
