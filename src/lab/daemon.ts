/** Process entry of a detached lab: `node daemon.ts SETTINGS`. Says over IPC when it is ready; ends when asked to. */
import { argv } from "node:process";
import { systemClock } from "../kernel/clock.ts";
import { startLab } from "./lab.ts";

interface DaemonReady {
  readonly ready: true;
}
interface DaemonFailed {
  readonly ready: false;
  readonly message: string;
}

const tell = (message: DaemonReady | DaemonFailed) => {
  process.send?.(message);
  if (process.connected) process.disconnect();
};

try {
  const lab = await startLab(JSON.parse(argv[2] ?? "{}"), systemClock);
  const signalled = new Promise<boolean>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve(false));
  });
  tell({ ready: true });
  const keep = await Promise.race([lab.stopRequested, signalled]);
  await lab.stop({ keep });
  process.exit(0);
} catch (error) {
  tell({ ready: false, message: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}
