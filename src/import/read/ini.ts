/** connman's settings: `[section]` and `key=value`. Pure. */
export function ini(text: string): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const sections = new Map<string, Record<string, string>>();
  let current: Record<string, string> = {};
  for (const line of text.split("\n").map((l) => l.trim())) {
    const head = /^\[(.*)\]$/.exec(line)?.[1];
    if (head !== undefined) {
      current = {};
      sections.set(head, current);
    } else if (line.includes("=") && !line.startsWith("#")) {
      const at = line.indexOf("=");
      current[line.slice(0, at).trim()] = line.slice(at + 1).trim();
    }
  }
  return sections;
}
