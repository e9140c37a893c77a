import { command } from "./command.ts";
import { disk } from "./disk.ts";
import { http } from "./http.ts";
import { k3s } from "./k3s.ts";
import type { Kind } from "./kind.ts";
import { mesh } from "./mesh.ts";
import { systemd } from "./systemd.ts";
import { tcp } from "./tcp.ts";
import { time } from "./time.ts";

/** Every kind of health check there is. A new one: its file pair, and its line here. */
export const kinds: readonly Kind[] = [systemd, tcp, http, command, k3s, mesh, time, disk];
