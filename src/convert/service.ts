/** Taking k3OS's services out of use and into use again, as data. Pure. */
import type { Command } from "../kernel/shell.ts";
import { ROOT_SHELL } from "./survey.ts";

/** Whoever writes to what is copied; the services of k3OS, and under systemd those of a lab. */
const SERVICES = ["k3s-service", "k3s", "nats-server", "soft-serve", "crond"];

const script = (
  verb: "start" | "stop",
  services: readonly string[],
  after: string,
): string => `PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
main() {
  for s in ${services.join(" ")}; do
    if command -v rc-service > /dev/null 2>&1; then
      [ ! -e "/etc/init.d/$s" ] || rc-service "$s" ${verb} || failed="\${failed-} $s"
    elif command -v systemctl > /dev/null 2>&1; then
      ! systemctl cat "$s.service" > /dev/null 2>&1 || systemctl ${verb} "$s.service" || failed="\${failed-} $s"
    fi
  done
  ${after}
  [ -z "\${failed-}" ] || { echo "could not ${verb}:$failed" >&2; exit 1; }
}
main < /dev/null
`;

/** Containers outlive k3s: they are ended, too. */
export const stopServices: Command = {
  line: ROOT_SHELL,
  stdin: script(
    "stop",
    SERVICES,
    "! command -v k3s-killall.sh > /dev/null 2>&1 || k3s-killall.sh > /dev/null 2>&1 || :\n  sync",
  ),
  label: "stop services",
};

export const startServices: Command = {
  line: ROOT_SHELL,
  stdin: script("start", [...SERVICES].reverse(), ":"),
  label: "start services",
};
