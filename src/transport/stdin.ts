import type { Writable } from "node:stream";
import type { Command } from "../kernel/shell.ts";

/**
 * Feeds a command's input, waiting whenever the other side is slower. Resolves when all is written or when
 * `closed` settles first: a command may end without reading its input. Rejects when the source itself fails.
 */
export async function feed(sink: Writable, stdin: Command["stdin"], closed: Promise<unknown>): Promise<void> {
  if (stdin === undefined) sink.end();
  else if (typeof stdin === "string" || stdin instanceof Uint8Array) sink.end(stdin);
  else await feedChunks(sink, stdin, closed);
}

async function feedChunks(
  sink: Writable,
  chunks: AsyncIterable<Uint8Array>,
  closed: Promise<unknown>,
): Promise<void> {
  let ended = false;
  const gone = closed.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  const source = chunks[Symbol.asyncIterator]();
  while (!ended) {
    const next = await Promise.race([source.next(), gone]);
    if (next === undefined) break;
    if (next.done === true) {
      sink.end();
      return;
    }
    if (!sink.write(next.value)) await Promise.race([drained(sink), gone]);
  }
  // Not awaited: a source stuck in `next` settles its `return` only after that, perhaps never.
  source.return?.().then(undefined, () => undefined);
}

function drained(sink: Writable): Promise<void> {
  return new Promise((resolve) => sink.once("drain", () => resolve()));
}
