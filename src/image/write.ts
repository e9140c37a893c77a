/** An image onto a disk, and back again: what cannot be read as it was written is not an image. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { execa } from "execa";
import { FleetError } from "../errors.ts";
import { refuseDevice } from "./devices.ts";
import type { DeviceLister } from "./list.ts";

export interface WriteCall {
  readonly image: string;
  readonly device: string;
  readonly list: DeviceLister;
  readonly signal: AbortSignal;
  /** Asked when everything else allows it; false: nothing is written. */
  readonly confirm: (text: string) => Promise<boolean>;
  readonly onProgress?: (phase: "writing" | "reading", bytes: number, total: number) => void;
}

export interface Written {
  readonly bytes: number;
  readonly sha256: string;
}

const BLOCK = 4 * 1024 * 1024;

/** Null when the person said no. Throws `host-unsuitable` for a disk that must not be written to, `command-failed`. */
export async function writeImage(call: WriteCall): Promise<Written | null> {
  const total = await imageBytes(call.image, call.signal);
  if (total === 0)
    throw new FleetError("usage", `${call.image} is empty: nothing is written`, {
      hint: "build or fetch it again",
    });
  const path = await realpath(call.device).catch(() => call.device);
  const check = async () => {
    const devices = await call.list({ signal: call.signal });
    const refused = refuseDevice(path, devices, total);
    if (refused)
      throw new FleetError("host-unsuitable", `${refused.message}; nothing is written`, {
        hint: refused.fix,
      });
    return devices.find((d) => d.path === path);
  };
  const device = await check();
  const what = [
    device?.model,
    device?.serial && `serial ${device.serial}`,
    ...(device?.contents ?? []),
  ].filter(Boolean);
  if (!(await call.confirm(`${path} (${what.join(", ") || "empty"}) will be ERASED.`))) return null;
  // Somebody may have mounted it, or plugged another one in, while we waited for the answer.
  const again = await check();
  if (again?.serial !== device?.serial || again?.size !== device?.size)
    throw new FleetError("host-unsuitable", `${path} is another disk than before; nothing is written`);
  const written = await copyTo(path, call, total);
  const read = await hashOf(path, written.bytes, call, total);
  if (read === written.sha256) return written;
  throw new FleetError("command-failed", `${path} does not hold what was written to it`, {
    hint: "the disk is broken, or smaller than it says: use another one",
  });
}

async function copyTo(path: string, call: WriteCall, total: number): Promise<Written> {
  const hash = createHash("sha256");
  // O_EXCL on a block device: the kernel refuses one that is in use.
  const target = await open(path, (await isBlock(path)) ? 0o2 | 0o200 : 0o2).catch((cause: unknown) => {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new FleetError("command-failed", `${path} cannot be written to: ${code}`, {
      cause,
      hint: code === "EBUSY" ? "something uses it: unmount it" : "run it as root, or as a user of group disk",
    });
  });
  let bytes = 0;
  try {
    for await (const chunk of contentOf(call.image, call.signal)) {
      call.signal.throwIfAborted();
      hash.update(chunk);
      await writeAll(target, chunk, bytes);
      bytes += chunk.length;
      call.onProgress?.("writing", bytes, total);
    }
    await target.sync();
  } catch (cause) {
    call.signal.throwIfAborted();
    if (cause instanceof FleetError) throw cause;
    throw new FleetError(
      "command-failed",
      `writing ${path} stopped after ${bytes} bytes: ${(cause as Error).message}`,
      {
        cause,
        hint: "the disk is broken or was pulled out",
      },
    );
  } finally {
    await target.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function writeAll(target: FileHandle, chunk: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await target.write(chunk, done, chunk.length - done, at + done);
    done += bytesWritten;
  }
}

/** From the disk, not from memory: its cached pages are dropped first, where that can be done. */
async function hashOf(path: string, bytes: number, call: WriteCall, total: number): Promise<string> {
  if (await isBlock(path)) await execa("blockdev", ["--flushbufs", path], { reject: false });
  const hash = createHash("sha256");
  let read = 0;
  for await (const chunk of createReadStream(path, { end: Math.max(0, bytes - 1), highWaterMark: BLOCK })) {
    call.signal.throwIfAborted();
    hash.update(chunk as Uint8Array);
    read += (chunk as Uint8Array).length;
    call.onProgress?.("reading", read, total);
  }
  return hash.digest("hex");
}

const isBlock = async (path: string): Promise<boolean> => (await stat(path)).isBlockDevice();

/** As it will be on the disk: compressed images are unpacked on the way. */
function contentOf(image: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const file = createReadStream(image, { highWaterMark: BLOCK, signal });
  const unpack = image.endsWith(".zst")
    ? createZstdDecompress()
    : image.endsWith(".gz")
      ? createGunzip()
      : null;
  if (!unpack) return file;
  file.on("error", (error) => unpack.destroy(error));
  return Readable.from(file.pipe(unpack));
}

/** Bytes on the disk. A compressed image is unpacked once to know. */
async function imageBytes(image: string, signal: AbortSignal): Promise<number> {
  const stats = await stat(image).catch(() => null);
  if (!stats?.isFile())
    throw new FleetError("usage", `there is no image ${image}`, {
      hint: "make one: macula-fleet image build iso",
    });
  if (!/\.(zst|gz)$/.test(image)) return stats.size;
  let bytes = 0;
  try {
    for await (const chunk of contentOf(image, signal)) bytes += chunk.length;
  } catch (cause) {
    signal.throwIfAborted();
    throw new FleetError("command-failed", `${image} is damaged`, { cause, hint: "build or fetch it again" });
  }
  return bytes;
}
