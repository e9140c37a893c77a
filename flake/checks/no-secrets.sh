# no-secrets.sh DIRECTORY...: fails when a file there, or one that a link there leads to, holds a secret or a reference
# to one. (/etc of a system is links into the store only, which `grep -r` would not follow.)
found=$(grep -REsl '(sops|cmd):[^ ]+#|K10[0-9a-f]{20}' -- "$@")
if [ -n "$found" ]; then
  echo "a secret or a reference to one is in the store:" >&2
  echo "$found" >&2
  exit 1
fi
