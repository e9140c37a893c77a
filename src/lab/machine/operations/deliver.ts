/** deliver: small files that are there whole or not at all. [pure] */
import { withDisk } from "../model.ts";
import { checkFence, needNumber, type Operation, Refused, said } from "./operation.ts";

export const deliver: Operation = (m, p) => {
  if (needNumber(p, "FENCE", 0) !== 0) checkFence(m, p);
  const count = needNumber(p, "SECRET_COUNT", 0);
  const files: Record<string, string> = { ...m.disk.files };
  const changed: string[] = [];
  for (let n = 1; n <= count; n++) {
    const path = p[`SECRET_${n}_PATH`] ?? "";
    const mode = p[`SECRET_${n}_MODE`] ?? "";
    const content = p[`SECRET_${n}_CONTENT`] ?? "";
    if (!path.startsWith("/") || /\/\.\.(\/|$)|\/$/.test(path))
      throw new Refused("usage", `not a file: ${path}`);
    if (!/^[0-7]+$/.test(mode)) throw new Refused("usage", `not a mode: ${mode}`);
    if (files[path] === content) continue;
    files[path] = content;
    changed.push(path);
  }
  return said(withDisk(m, { files }), { schema: 1, changed });
};
