/** What a lab host can do: one operation per script of `src/host/scripts/`. [pure] */
import { activate, commit, release, revert } from "./activation.ts";
import { check } from "./check.ts";
import { deliver } from "./deliver.ts";
import { note, reboot } from "./note.ts";
import { evidence, facts, probe } from "./observe.ts";
import type { Operation } from "./operation.ts";
import { borrow, fetch, gc, generations, lend, missing, stage } from "./store.ts";
import { wipe } from "./wipe.ts";

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  probe,
  fetch,
  lend,
  borrow,
  missing,
  stage,
  deliver,
  activate,
  check,
  commit,
  revert,
  evidence,
  release,
  generations,
  reboot,
  note,
  gc,
  facts,
  wipe,
};
