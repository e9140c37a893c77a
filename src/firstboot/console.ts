import { showCode } from "./code.ts";
import { qrText } from "./qr.ts";

export interface ConsoleFacts {
  readonly url: string;
  readonly address: string | null;
  readonly code: string;
  readonly minutes: number;
}

/**
 * What the machine's own screen shows. Its QR code carries the pairing code behind the `#`, which browsers do not
 * send: whoever can scan it stands in front of the machine anyway.
 */
export function consoleText({ url, address, code, minutes }: ConsoleFacts): string {
  const port = new URL(url).port;
  const direct = address === null ? null : `http://${address.includes(":") ? `[${address}]` : address}`;
  const lines = [
    "This machine is not paired yet.",
    "",
    `  1. Open   ${url}`,
    ...(direct === null ? [] : [`     or     ${direct}${port === "" ? "" : `:${port}`}`]),
    `  2. Code   ${showCode(code)}`,
    "",
    `Or scan this. Open for ${minutes} minutes; start the machine again for a new code.`,
    "",
    qrText(`${url}/#${showCode(code)}`),
  ];
  return `\n${lines.map((line) => (line === "" ? "" : `  ${line}`)).join("\n")}\n\n`;
}
