import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { FleetError } from "../errors.ts";
import { MemoryStore } from "./memory.ts";
import type { Store } from "./store.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** `$XDG_STATE_HOME/macula-fleet/<fleet>/state.db`, else below `~/.local/state`. */
export function defaultStatePath(fleet: string, env: Env): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(fleet)) {
    throw new FleetError("usage", `not a fleet name: ${JSON.stringify(fleet)}`, {
      hint: "use letters, digits, '.', '_' and '-'",
    });
  }
  const xdg = env.XDG_STATE_HOME;
  // The XDG specification: a relative path is to be ignored.
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(home(env), ".local", "state");
  return join(base, "macula-fleet", fleet, "state.db");
}

/**
 * Opens the store `url` names: a path, `sqlite:PATH`, `memory:` or `postgres://…`; undefined means the fleet's own
 * SQLite file. Errors: `usage`, `state-corrupt`, `state-newer`, `store-unavailable`. Dispose of it when done.
 */
export async function openStore(
  url: string | undefined,
  o: { readonly env: Env; readonly fleet?: string },
): Promise<Store> {
  if (url === "memory:") return new MemoryStore();
  const scheme = url === undefined ? undefined : /^([a-z][a-z0-9+.-]+):/.exec(url)?.[1];
  if (url === undefined || scheme === undefined || scheme === "sqlite") {
    const path = url === undefined ? defaultStatePath(o.fleet ?? "default", o.env) : sqlitePath(url, o.env);
    // Loaded on use: commands that need no state should not pay for the driver.
    const { openSqlite } = await import("./sqlite/open.ts");
    return openSqlite(path);
  }
  if (scheme === "postgres" || scheme === "postgresql") {
    const { openPostgres } = await import("./postgres/open.ts");
    return openPostgres(url, o.env);
  }
  throw new FleetError("usage", `unknown kind of store: ${scheme}:`, {
    hint: "--state takes a path, sqlite:PATH, memory: or postgres://…",
  });
}

function sqlitePath(url: string, env: Env): string {
  const path = url.replace(/^sqlite:(\/\/)?/, "");
  if (path === "" || path.includes("\0")) {
    throw new FleetError("usage", "--state names no file", { hint: "for example --state ./state.db" });
  }
  return path.startsWith("~/") ? join(home(env), path.slice(2)) : path;
}

function home(env: Env): string {
  return env.HOME !== undefined && env.HOME !== "" ? env.HOME : homedir();
}
