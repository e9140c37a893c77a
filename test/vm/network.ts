/** A network of one cable: the operator at one end, a machine at the other, and a router that forgets. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

export interface Network extends AsyncDisposable {
  /** For the machine. */
  readonly cable: { readonly namespace: string; readonly tap: string };
  /** From now on DHCP gives this address, whatever it gave before. */
  lease(address: string): Promise<void>;
}

const ROUTER = "10.77.0.1";

/** In a network namespace of its own. Needs root, iproute2 and busybox. */
export async function aNetwork(dir: string, signal: AbortSignal): Promise<Network> {
  const namespace = `mf-vm-${process.pid}`;
  const tap = "cable";
  const ip = (...args: readonly string[]) => execa("ip", args, { cancelSignal: signal });
  await ip("netns", "add", namespace);
  let server: ReturnType<typeof serve> | undefined;
  const serve = (config: string) =>
    execa("ip", ["netns", "exec", namespace, "busybox", "udhcpd", "-f", config], {
      stdin: "ignore",
      reject: false,
    });
  const stop = async () => {
    server?.kill();
    await server;
  };
  await ip("-n", namespace, "link", "set", "lo", "up");
  await ip("-n", namespace, "tuntap", "add", "dev", tap, "mode", "tap");
  await ip("-n", namespace, "address", "add", `${ROUTER}/24`, "dev", tap);
  await ip("-n", namespace, "link", "set", tap, "up");
  return {
    cable: { namespace, tap },
    async lease(address) {
      await stop();
      const leases = join(dir, "leases");
      await rm(leases, { force: true });
      await writeFile(leases, "");
      const config = join(dir, "udhcpd.conf");
      const lines = [
        ...[`start ${address}`, `end ${address}`, `interface ${tap}`, `lease_file ${leases}`],
        ...[`pidfile ${join(dir, "udhcpd.pid")}`, "opt subnet 255.255.255.0", `opt router ${ROUTER}`],
        ...["opt lease 864000", ""],
      ];
      await writeFile(config, lines.join("\n"));
      server = serve(config);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await execa("ip", ["netns", "delete", namespace], { reject: false });
    },
  };
}
