// Completes package-lock.json after `npm install`: where a registry has no packages for other platforms, npm leaves
// them out of the lock and then `npm ci` refuses it as out of step. Adds an entry (version and platform, no hash) for
// every optional dependency that is named but not locked.
import { readFileSync, writeFileSync } from "node:fs";

const OS = [
  "android",
  "darwin",
  "freebsd",
  "linux",
  "win32",
  "openharmony",
  "netbsd",
  "openbsd",
  "sunos",
  "aix",
];
const CPU = {
  x64: "x64",
  arm64: "arm64",
  arm: "arm",
  ia32: "ia32",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  loong64: "loong64",
  wasm32: "wasm32",
  universal: null,
};

function platform(name) {
  const words = name
    .replace("armv7", "arm")
    .replace(/(arm)-?eabi(hf)?|musleabihf|gnueabihf|eabi/g, "arm")
    .split(/[/-]/);
  const os = OS.filter((o) => words.includes(o));
  const cpu = Object.keys(CPU).filter((c) => CPU[c] && words.some((w) => w === c));
  return {
    ...(os.length ? { os } : {}),
    ...(cpu.length ? { cpu } : {}),
    ...(name.includes("musl") ? { libc: ["musl"] } : {}),
  };
}

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
let added = 0;
for (const [path, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const places = path
      .split("/node_modules/")
      .map((_, i, all) => all.slice(0, i + 1).join("/node_modules/"));
    if (["", ...places].some((at) => lock.packages[`${at === "" ? "" : `${at}/`}node_modules/${name}`]))
      continue;
    if (!/^\d/.test(version)) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platform(name),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
    };
    added++;
  }
}
const sorted = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
);
writeFileSync("package-lock.json", `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`);
console.log(`${added} entries added`);
