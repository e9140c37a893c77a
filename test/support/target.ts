import type { Target } from "../../src/transport/transport.ts";

/** A target on loopback with sensible values for what a test does not care about. */
export function targetFor(values: Partial<Target>): Target {
  return {
    name: "node-01",
    address: "127.0.0.1",
    port: 22,
    user: "root",
    hostKeys: [],
    via: [],
    hostKeyPolicy: "strict",
    connectTimeoutMs: 15_000,
    ...values,
  };
}
