# Room for CLOSURES more systems like the running one, and at least MINKIB, where PATHNAME is.
check_disk() {
  where=$(opt PATHNAME)
  free=$(df -Pk "$where" 2>/dev/null | sed -n '2p' | awk '{ print $4 }')
  case $free in '' | *[!0-9]*) verdict failed "cannot see how much of $where is free" ;; esac
  need=$(opt MINKIB)
  if [ "$(opt CLOSURES)" -gt 0 ]; then
    size=$(nix --extra-experimental-features nix-command path-info -S "$(link /run/current-system)" 2>/dev/null | awk '{ print int($2 / 1024) }')
    case $size in '' | *[!0-9]*) size=0 ;; esac
    more=$((size * $(opt CLOSURES)))
    [ "$more" -le "$need" ] || need=$more
  fi
  [ "$free" -ge "$need" ] || verdict failed "$((free / 1024)) MiB free at $where, $((need / 1024)) MiB needed"
  verdict ok "$((free / 1024)) MiB free at $where"
}
