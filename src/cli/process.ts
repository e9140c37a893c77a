/** The real surroundings of the program, and what ^C means. */
import type { Process } from "../app.ts";
import { FleetError } from "../errors.ts";

export function hostProcess(): Process {
  const { env, stdin, stdout, stderr, pid } = globalThis.process;
  const drain = new AbortController();
  const abort = new AbortController();
  const interrupt = (name: string) => {
    if (!drain.signal.aborted) {
      stderr.write(`\n${name}: starts nothing new, what is in flight finishes; once more to leave now\n`);
      drain.abort(new FleetError("interrupted", "interrupted"));
      return;
    }
    abort.abort(
      new FleetError("interrupted", "interrupted", {
        hint: "hosts in flight revert themselves; go on with: macula-fleet rollout resume",
      }),
    );
    // Whatever still hangs now must not keep the terminal.
    setTimeout(() => globalThis.process.exit(130), 2_000).unref();
  };
  globalThis.process.on("SIGINT", () => interrupt("^C"));
  globalThis.process.on("SIGTERM", () => interrupt("terminated"));
  return {
    env,
    cwd: globalThis.process.cwd(),
    stdin,
    stdout,
    stderr,
    pid,
    signals: {
      drain: drain.signal,
      abort: abort.signal,
      abortAfter: (ms) => {
        setTimeout(
          () =>
            abort.abort(
              new FleetError("timeout", `gave up after --timeout (${ms} ms)`, {
                hint: "give it longer; what was begun on hosts ends or reverts there: macula-fleet rollout status",
              }),
            ),
          ms,
        ).unref();
      },
    },
  };
}
