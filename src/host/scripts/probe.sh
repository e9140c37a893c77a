# Everything there is to know, changing nothing. RUN: whose units to look at; TO: is this closure complete?
RUN=${RUN-} TO=${TO-} ELEVATION=${ELEVATION-none}
U=macula-fleet-${RUN:-none}
D=$RUN_DIR/${RUN:-none}

os_field() { sed -n "s/^$1=\"\\{0,1\\}\\([^\"]*\\)\"\\{0,1\\}\$/\\1/p" /etc/os-release 2>/dev/null | head -n 1; }
free_kib() { df -Pk "$1" 2>/dev/null | sed -n '2p' | awk '{ print $4 }'; }
foreign() {
  for p in /nix/var/nix/profiles/system-profiles/*; do
    case $p in *-link | */macula_fleet | */\*) ;; *) printf 'profile %s\n' "${p##*/}" ;; esac
  done
  for u in nixos-upgrade.timer comin.service cachix-agent.service; do
    ! systemctl is-active --quiet "$u" 2>/dev/null || printf '%s\n' "$u"
  done
}

look() {
  current=$(system_link /run/current-system) booted=$(system_link /run/booted-system) profile=$(system_link $PROFILE)
  generation=$(readlink $PROFILE 2>/dev/null | sed -n 's/.*system-\([0-9]*\)-link$/\1/p')
  default=$(boot_default)
  activating='' armed='' left=null
  [ -n "$RUN" ] || return 0
  ! unit_alive "$U-activate.service" || activating=1
  if unit_alive "$U-revert.timer" || unit_alive "$U-revert.service"; then
    armed=1
    deadline=$(json_num "$(cat "$D/deadline" 2>/dev/null)" '')
    [ -z "$deadline" ] || left=$((deadline - $(uptime_s)))
  fi
}

main() {
  [ -z "$RUN" ] || need_run "$RUN"
  [ -z "$TO" ] || need_system "$TO"
  # The host may be at work: only a look during which its record did not change is one picture.
  for _ in 1 2 3; do
    record=$(cat "$STATE" 2>/dev/null || printf null)
    look
    [ "$record" != "$(cat "$STATE" 2>/dev/null || printf null)" ] || break
  done
  pending=''
  if [ -n "$current" ] && [ -n "$booted" ] && [ "$current" != "$booted" ]; then
    ! differ_in_kernel "$current" "$booted" || pending=1
  fi
  valid=null
  if [ -n "$TO" ]; then
    if nix-store --check-validity "$TO" 2>/dev/null && [ -e "$TO/nixos-version" ]; then valid=true; else valid=false; fi
  fi
  read -r up _ < /proc/uptime
  printf '{"schema":1,"hostname":%s,' "$(json_str "$(cat /proc/sys/kernel/hostname)")"
  printf '"os":{"id":%s,"version":%s,"variant":%s},' "$(json_str "$(os_field ID)")" "$(json_str "$(os_field VERSION_ID)")" "$(json_str "$(os_field VARIANT_ID)")"
  printf '"arch":%s,"bootId":"%s","uptime":%s,"clock":%s,' "$(json_str "$(uname -m)")" "$(boot_id)" "$up" "$(date +%s)"
  printf '"current":%s,"booted":%s,"profile":%s,"generation":%s,' "$(json_str "$current")" "$(json_str "$booted")" "$(json_str "$profile")" "$(json_num "$generation" null)"
  printf '"bootDefault":%s,"loader":"%s","rebootPending":%s,' "$(json_str "$default")" "$(loader)" "$(json_bool "$pending")"
  printf '"failedUnits":%s,' "$(failed_units | json_lines)"
  printf '"systemState":%s,' "$(json_str "$(systemctl is-system-running 2>/dev/null || :)")"
  printf '"state":%s,"activateActive":%s,"revertArmed":%s,"revertIn":%s,' "$record" "$(json_bool "$activating")" "$(json_bool "$armed")" "$left"
  printf '"closureValid":%s,' "$valid"
  printf '"disk":{"storeFree":%s,"bootFree":%s,"rootFree":%s},' "$(json_num "$(free_kib /nix/store)" 0)" "$(json_num "$(free_kib /boot)" 0)" "$(json_num "$(free_kib /)" 0)"
  printf '"memory":%s,' "$(json_num "$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)" 0)"
  printf '"hold":%s,"lock":%s,' "$(if held; then cat "$STATE_DIR/hold.json"; else printf null; fi)" "$(cat "$STATE_DIR/lock.json" 2>/dev/null || printf null)"
  printf '"foreign":%s,"otherRuns":%s,' "$(foreign | json_lines)" "$(other_runs | json_lines)"
  printf '"nix":%s,"elevation":"%s","trustedUser":%s}\n' "$(json_str "$(nix-store --version 2>/dev/null | sed 's/.* //')")" "$ELEVATION" "$(json_bool "$([ "$(id -u)" != 0 ] || echo 1)")"
}
