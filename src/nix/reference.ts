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
  const local = /^(?:git\+file:(?:\/\/)?|file:\/\/)?(\.{0,2}\/[^?]*|\.{1,2})$/.exec(url)?.[1];
  if (local !== undefined) return { kind: "directory", path: absolute(local, baseDir) };
  if (url.startsWith("path:")) {
    return { kind: "content", url: `path:${absolute(url.slice("path:".length), baseDir)}` };
  }
  return isRepository(url) ? { kind: "repository", url } : { kind: "content", url };
}

function isRepository(url: string): boolean {
  return /^(?:git\+|github:|gitlab:|sourcehut:)/.test(url);
}

function absolute(path: string, baseDir: string): string {
  return path.startsWith("/") ? path : new URL(path, `file://${baseDir}/`).pathname.replace(/\/$/, "");
}

/** A git work tree's commit; `prefix` is the flake's place in it (`nix/` or empty). Without `rev`: as it lies there. */
export function gitReference(top: string, prefix: string, rev?: string): string {
  const dir = prefix.replace(/\/$/, "");
  const query = [...(dir === "" ? [] : [`dir=${dir}`]), ...(rev === undefined ? [] : [`rev=${rev}`])];
  return `git+file://${top}${query.length === 0 ? "" : `?${query.join("&")}`}`;
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
