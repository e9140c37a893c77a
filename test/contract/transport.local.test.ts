import { describe } from "vitest";
import { createLocalTransport } from "../../src/transport/local.ts";
import { targetFor } from "../support/target.ts";
import { transportContract } from "./transport.ts";

describe("local transport", () => {
  transportContract(async () => ({
    transport: createLocalTransport({ env: process.env }),
    endsCommands: true,
    target: targetFor({ name: "localhost" }),
    async [Symbol.asyncDispose]() {},
  }));
});
