/** The part of the host protocol that a machine which pulls runs on itself (`flake/modules/pull/protocol`). */
import { scripts } from "./scripts.ts";

const { activate, commit, revert } = scripts;

export const PULL_PROTOCOL = { activate, commit, revert } as const;
