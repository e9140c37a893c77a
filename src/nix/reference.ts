/** What a fleet's `flake:` may be, and how one revision of it is written down for Nix. Pure. */

export type FlakeReference =
  /** A directory on this machine, absolute; git decides what belongs to it when it is in a work tree. */
  | { readonly kind: "directory"; readonly path: string }
  /** Content without history: its revision is its hash. */
  | { readonly kind: "content"; readonly url: string }
  /** A repository elsewhere. */
  | { readonly kind: "repository"; readonly url: string };

/** `./dir` and `path:./dir` are relative to `baseDir` (the inventory's directory). A `#fragment` is ignored. */
export function parseFlakeReference(text: string, baseDir: string): FlakeReference {
  const url = text.split("#", 1)[0] ?? text;
  const local = url.replace(/^(?:git\+)?file:(?:\/\/)?/, "");
  if (/^\.{0,2}(?:\/|$)/.test(local) && !local.includes("?")) {
    return { kind: "directory", path: absolute(local, baseDir) };
  }
  if (url.startsWith("path:")) {
    return { kind: "content", url: pathReference(absolute(url.slice("path:".length), baseDir)) };
  }
  return isRepository(url) ? { kind: "repository", url } : { kind: "content", url };
}

function isRepository(url: string): boolean {
  return /^(?:git\+|github:|gitlab:|sourcehut:)/.test(url);
}

function absolute(path: string, baseDir: string): string {
  const steps: string[] = [];
  for (const step of (path.startsWith("/") ? path : `${baseDir}/${path}`).split("/")) {
    if (step === "..") steps.pop();
    else if (step !== "" && step !== ".") steps.push(step);
  }
  return `/${steps.join("/")}`;
}

/** A directory as it is, whatever git thinks of it. */
export function pathReference(path: string): string {
  return `path:${encodeURI(path)}`;
}

/** A git work tree's commit; `prefix` is the flake's place in it (`nix/` or empty). Without `rev`: as it lies there. */
export function gitReference(top: string, prefix: string, rev?: string): string {
  const dir = encodeURI(prefix.replace(/\/$/, ""));
  const query = [...(dir === "" ? [] : [`dir=${dir}`]), ...(rev === undefined ? [] : [`rev=${rev}`])];
  return `git+file://${encodeURI(top)}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

/** One revision (branch, tag or commit) of a repository elsewhere. */
export function repositoryReference(url: string, revision: string): string {
  const [base = "", query = ""] = url.split("?", 2);
  const parameters = query.split("&").filter((p) => p !== "" && !/^(?:rev|ref|narHash)=/.test(p));
  if (base.startsWith("git+")) {
    const key = /^[0-9a-f]{40}$/.test(revision) ? "rev" : "ref";
    return withQuery(base, [...parameters, `${key}=${revision}`]);
  }
  const [owner, repository] = base.split("/");
  return withQuery(`${owner}/${repository}/${revision}`, parameters);
}

/** Content that must have exactly this hash, or Nix refuses it. */
export function contentReference(url: string, narHash: string): string {
  const [base = "", query = ""] = url.split("?", 2);
  const parameters = query.split("&").filter((p) => p !== "" && !p.startsWith("narHash="));
  return withQuery(base, [...parameters, `narHash=${encodeURIComponent(narHash)}`]);
}

function withQuery(base: string, parameters: readonly string[]): string {
  return parameters.length === 0 ? base : `${base}?${parameters.join("&")}`;
}
