/** Every row of the mapping from k3OS to an inventory. A new one is one entry. */
import type { Mapping } from "../contribution.ts";
import { authorizedKeys, password } from "./access.ts";
import { commands, cron, files } from "./files.ts";
import { disk, machine, storage } from "./hardware.ts";
import { k3s, k3sFiles } from "./k3s.ts";
import { environment, modules, sysctls } from "./kernel.ts";
import { identity, mesh } from "./mesh.ts";
import { addresses, resolvers, wifi } from "./network.ts";
import { backup, dataSources, gitops, health, nats } from "./services.ts";

export const MAPPINGS: readonly Mapping[] = [
  machine,
  mesh,
  disk,
  storage,
  addresses,
  resolvers,
  wifi,
  k3s,
  k3sFiles,
  identity,
  authorizedKeys,
  password,
  modules,
  sysctls,
  environment,
  files,
  commands,
  cron,
  gitops,
  nats,
  health,
  backup,
  dataSources,
];
