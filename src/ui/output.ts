import type { Writable } from "node:stream";

/** Writes lines with back-pressure. After the reader has gone away, writing does nothing. */
export interface Output extends Disposable {
  line(text: string): Promise<void>;
}

export function openOutput(stream: Writable): Output {
  let gone = stream.destroyed || stream.writableEnded;
  const onError = () => {
    gone = true;
  };
  stream.on("error", onError);
  return {
    async line(text) {
      if (gone || stream.destroyed || stream.writableEnded) return;
      if (!stream.write(`${text}\n`)) await drained(stream);
    },
    // An EPIPE may be reported after the last write: without a listener it would end the process.
    [Symbol.dispose]: () => void setImmediate(() => stream.off("error", onError)).unref(),
  };
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const events = ["drain", "error", "close", "finish"] as const;
    const done = () => {
      for (const name of events) stream.off(name, done);
      resolve();
    };
    for (const name of events) stream.on(name, done);
  });
}
