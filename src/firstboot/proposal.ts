import { stringify } from "yaml";
import type { HostEntry } from "../inventory/schema/host-vars.ts";
import type { MachineFacts } from "./facts.ts";

/**
 * The machine as an inventory entry: what an operator pastes below `hosts:` to adopt it. A proposal only; what the
 * machine becomes is decided in the inventory.
 */
export function proposalFor(facts: MachineFacts, did: string, orgIdentity: string): string {
  const entry: HostEntry = {
    ...(facts.address === null ? {} : { address: facts.address }),
    arch: facts.arch,
    hardware: { boot: facts.boot },
    identity: {
      ...(facts.mac === null ? {} : { mac: facts.mac }),
      ...(facts.hostKey === null ? {} : { hostKeys: [facts.hostKey] }),
      did,
    },
  };
  const head = [
    `# Paired with ${oneLine(orgIdentity)}.`,
    "# Below `hosts:` in the inventory this adopts it;",
    "# it still wants a role and a disk.",
  ];
  return `${head.join("\n")}\n${stringify({ [facts.hostname]: entry }, { lineWidth: 0 })}`;
}

const oneLine = (text: string) => text.replace(/\p{C}+/gu, " ");
