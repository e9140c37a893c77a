import { networkInterfaces } from "node:os";
import { exists, readIfThere } from "./files.ts";

/** What an operator needs to know of the machine to take it into an inventory. Nothing secret. */
export interface MachineFacts {
  readonly hostname: string;
  readonly arch: "x86_64-linux" | "aarch64-linux";
  readonly boot: "uefi" | "bios" | "rpi";
  readonly address: string | null;
  readonly mac: string | null;
  /** OpenSSH's public key line without its comment. */
  readonly hostKey: string | null;
}

export async function machineFacts(hostname: string): Promise<MachineFacts> {
  const card = firstCard();
  const key = await readIfThere("/etc/ssh/ssh_host_ed25519_key.pub").catch(() => null);
  return {
    hostname,
    arch: process.arch === "arm64" ? "aarch64-linux" : "x86_64-linux",
    boot: await bootKind(),
    address: card?.address ?? null,
    mac: card?.mac ?? null,
    hostKey: key === null ? null : key.trim().split(" ").slice(0, 2).join(" "),
  };
}

async function bootKind(): Promise<MachineFacts["boot"]> {
  if (await exists("/sys/firmware/efi")) return "uefi";
  const model = await readIfThere("/proc/device-tree/model").catch(() => null);
  return model?.includes("Raspberry Pi") ? "rpi" : "bios";
}

/** The first card with an address people can use; IPv4 before IPv6, as it is easier to type. */
function firstCard(): { readonly address: string; readonly mac: string } | null {
  const virtual = /^(lo|docker|veth|br-|virbr|cni|flannel|wg|tun|tap)/;
  const all = Object.entries(networkInterfaces())
    .filter(([name]) => !virtual.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter((a) => !a.internal && !a.address.startsWith("fe80:"));
  return all.find((a) => a.family === "IPv4") ?? all[0] ?? null;
}
