/** What nixos-anywhere said to one machine, line by line with the time; readable for its owner only. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";

export interface MachineLog extends AsyncDisposable {
  readonly file: string;
  write(line: string): void;
}

/** Appends to `DIR/HOST.log`. A log that cannot be written stops no installation. */
export async function openLog(dir: string, host: string): Promise<MachineLog> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, `${host}.log`);
  const stream = createWriteStream(file, { flags: "a", mode: 0o600 });
  stream.on("error", () => undefined);
  return {
    file,
    write: (line) => void stream.write(`${new Date().toISOString()} ${line}\n`),
    async [Symbol.asyncDispose]() {
      stream.end();
      await finished(stream).catch(() => undefined);
    },
  };
}
