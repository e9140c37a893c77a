import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { createWebApp } from "../../ui/web/server.ts";
import { defineCommand } from "../command.ts";
import { noteLab } from "../hosts.ts";

const LOOPBACK = new Set(["127.0.0.1", "::1", "localhost"]);

export const command = defineCommand({
  options: [
    ["--port <n>", "where to listen; 0: any free one", "8428"],
    ["--address <ip>", "on which address; anybody who reaches it can read", "127.0.0.1"],
  ],
  examples: [
    "macula-fleet serve",
    "macula-fleet serve --port 0",
    "curl -s localhost:8428/metrics    # Prometheus",
    "curl -sN localhost:8428/runs/r-7/events    # server-sent events; Last-Event-ID goes on after one",
  ],
  schema: z.object({
    port: z.coerce.number("must be a port number").int().min(0).max(65535).default(8428),
    address: z.string().default("127.0.0.1"),
  }),
  async run(app, { options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const { signal } = app;
    const web = createWebApp({ store, clock: app.clock, isLab: inventory.lab !== undefined, signal });
    const { serve } = await import("@hono/node-server");
    const failed = Promise.withResolvers<never>();
    const server = serve({ fetch: web.fetch, port: options.port, hostname: options.address }, (info) => {
      const name = info.address.includes(":") ? `[${info.address}]` : info.address;
      noteLab(app, inventory);
      if (!LOOPBACK.has(info.address))
        app.note("no login: everybody who reaches this address can read (nobody can change anything)");
      app.print(`http://${name}:${info.port}/`);
    });
    server.on("error", (error: NodeJS.ErrnoException) => failed.reject(listenError(error, options)));
    try {
      await Promise.race([
        failed.promise,
        new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        }),
      ]);
    } finally {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    }
    return EXIT.ok;
  },
});

function listenError(error: NodeJS.ErrnoException, o: { readonly port: number; readonly address: string }) {
  const where = `${o.address}:${o.port}`;
  if (error.code === "EADDRINUSE")
    return new FleetError("usage", `something listens on ${where} already`, {
      hint: "choose another --port, or 0 for any free one",
      cause: error,
    });
  return new FleetError("usage", `cannot listen on ${where}`, { cause: error });
}
