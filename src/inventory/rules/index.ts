/** Every rule, in the order of its codes. */
import * as names from "./e1-names.ts";
import { auditOnly, bootstraps, privateGateways } from "./e2-mesh.ts";
import { clusterDatastore, clusterIdentity, clusterJoining, clusterServers } from "./e3-clusters.ts";
import { dataDisks, dataMounts } from "./e4-data-disks.ts";
import { factsAgainst, sharedDisks, unstableDisks } from "./e4-disks.ts";
import { brokenReferences, sopsKeys } from "./e5-secrets.ts";
import { backupPlace, boardArch, exclusiveStatements, wifiOnly } from "./e6-hardware.ts";
import { canaryTerms, riskyCanary } from "./e7-rollout.ts";
import { oldRelease } from "./e8-release.ts";
import { healthChecks } from "./e9-checks.ts";
import type { Rule } from "./rule.ts";

export const RULES: readonly Rule[] = [
  names.duplicateAddresses,
  names.references,
  names.roleSpelling,
  names.defaultsAreShared,
  names.bastionChains,
  names.namesAndTimes,
  bootstraps,
  auditOnly,
  privateGateways,
  clusterServers,
  clusterDatastore,
  clusterIdentity,
  clusterJoining,
  unstableDisks,
  sharedDisks,
  factsAgainst,
  dataDisks,
  dataMounts,
  brokenReferences,
  sopsKeys,
  boardArch,
  wifiOnly,
  exclusiveStatements,
  backupPlace,
  riskyCanary,
  canaryTerms,
  oldRelease,
  healthChecks,
];
