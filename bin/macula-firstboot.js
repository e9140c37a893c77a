#!/usr/bin/env node
// Launcher of the first-boot wizard. The image that carries it carries its Node.js too, so there is no other to look for.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const major = Number(process.versions.node.split(".")[0]);
const source = here("../src/firstboot/main.ts");
const { main } = await import(major >= 24 && existsSync(source) ? source : here("../dist/firstboot/main.js"));
await main(process.argv.slice(2));
