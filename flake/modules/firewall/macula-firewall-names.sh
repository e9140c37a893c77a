# macula-firewall-names CONF: fills the chain `macula-names` from lines of PROTOCOL FROM TO NAME. A name that does not
# resolve keeps the addresses it had: a name server that is down must not take a cluster apart.
export LC_ALL=C
conf=${1:?CONF}
cache=${CACHE_DIRECTORY:-/var/cache/macula-firewall-names}
mkdir -p "$cache"

rules() { # 4|6
  echo '*filter'
  # ACCEPT, not nixos-fw-accept: a reference from here would keep the firewall from deleting its own chain.
  echo ':macula-names - [0:0]'
  while read -r protocol from to name; do
    while read -r address; do
      case $address in *:*) family=6 ;; *) family=4 ;; esac
      [ $family = "$1" ] || continue
      echo "-A macula-names -p $protocol -s $address --dport $from:$to -j ACCEPT"
    done <"$cache/$name"
  done <"$conf"
  echo COMMIT
}

while read -r _ _ _ name; do
  getent ahosts "$name" 2>/dev/null | cut -d' ' -f1 | sort -u >"$cache/$name.new"
  if [ -s "$cache/$name.new" ]; then
    mv "$cache/$name.new" "$cache/$name"
  else
    rm -f "$cache/$name.new"
    [ -e "$cache/$name" ] || : >"$cache/$name"
    echo "$name does not resolve" >&2
  fi
done <"$conf"

# One transaction per family: there is no moment without the rules.
rules 4 | iptables-restore --wait --noflush || exit 1
if [ -z "${NO_IPV6-}" ]; then rules 6 | ip6tables-restore --wait --noflush; fi
