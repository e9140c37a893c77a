#!@sh@
# The workload of a lab host: a real HTTP server with /healthz and /version.
# lab-app check       may it start?
# lab-app serve PORT  serve until stopped, or until LAB_CRASH_AFTER seconds have passed
PATH=@tools@/bin
case ${1-} in
  check)
    [ -z "${LAB_UNIT_FAILS-}" ] || { echo "lab-app: this release is broken"; exit 1; }
    # `lab fault HOST bad-health` names the system that was fine: every other one is not.
    spared=/var/lib/lab/fault/bad-health
    if [ -e $spared ] && [ "$(cat $spared)" != "$(readlink /run/current-system)" ]; then
      echo "lab-app: made to fail on this host (lab fault bad-health)"
      exit 1
    fi
    ;;
  serve)
    if [ -n "${LAB_CRASH_AFTER-}" ]; then
      httpd -f -p "$2" -h @out@/www &
      sleep "$LAB_CRASH_AFTER"
      echo "lab-app: crashing as this release was told to"
      exit 1
    fi
    exec httpd -f -p "$2" -h @out@/www
    ;;
  *) echo "usage: lab-app check|serve PORT" >&2; exit 64 ;;
esac
