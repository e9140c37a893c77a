import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveTarget } from "./ssh-config.ts";
import type { Target } from "./transport.ts";

let home: string;
let count = 0;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "ssh-config-"));
  mkdirSync(join(home, ".ssh/conf.d"), { recursive: true });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const base: Target = {
  name: "node-01",
  address: "edge",
  port: 22,
  user: "root",
  hostKeys: [],
  via: [],
  hostKeyPolicy: "strict",
  connectTimeoutMs: 1000,
};

function write(text: string, name = `config-${count++}`): string {
  const file = join(home, ".ssh", name);
  writeFileSync(file, text);
  return file;
}

const resolve = (values: Partial<Target>) =>
  resolveTarget({ ...base, ...values }, { home, localUser: "me", knownHostsFiles: ["/known", "/global"] });
const open = { defaulted: ["port", "user"] } as const;

describe("without an ssh_config", () => {
  test("the inventory's values are taken, with ~ expanded", async () => {
    const bastion = { address: "2001:db8::1", port: 2222, user: "ops", hostKeys: ["k"] };
    const target = await resolve({ identityFile: "~/key", knownHostsFile: "~/known", via: [bastion] });
    expect(target).toMatchObject({
      host: { label: "root@edge:22", address: "edge", identityFiles: [join(home, "key")], keyName: "edge" },
      bastions: [{ label: "bastion ops@[2001:db8::1]:2222", hostKeys: ["k"], identityFiles: [] }],
      knownHostsFiles: [join(home, "known")],
    });
  });

  test("the usual known_hosts files are read", async () => {
    expect(await resolve({})).toMatchObject({ knownHostsFiles: ["/known", "/global"] });
  });
});

describe("with an ssh_config", () => {
  const full = () =>
    write(
      "Host edge\n HostName edge.example\n User deploy\n Port 2200\n IdentityFile ~/a\n IdentityFile %d/b-%r-%h\n HostKeyAlias alias\n UserKnownHostsFile ~/k1 ~/k2\n",
    );

  test("it fills what the inventory left open", async () => {
    expect(await resolve({ ...open, sshConfigFile: full() })).toMatchObject({
      host: {
        label: "deploy@edge.example:2200",
        keyName: "alias",
        identityFiles: [join(home, "a"), join(home, "b-deploy-edge.example")],
      },
      knownHostsFiles: [join(home, "k1"), join(home, "k2")],
    });
  });

  test("what the inventory states wins", async () => {
    const stated = { identityFile: "/mine", knownHostsFile: "/own", hostKeyAlias: "own-alias" };
    expect(await resolve({ ...stated, sshConfigFile: full() })).toMatchObject({
      host: { label: "root@edge.example:22", keyName: "own-alias", identityFiles: ["/mine"] },
      knownHostsFiles: ["/own"],
    });
  });

  test("ProxyJump is followed, also the first bastion's own", async () => {
    const sshConfigFile = write(
      "Host edge\n ProxyJump b,ops@[2001:db8::1]:2222\nHost b\n HostName b.example\n User bob\n ProxyJump a\n",
    );
    const { bastions } = await resolve({ sshConfigFile });
    expect(bastions.map((hop) => hop.label)).toEqual([
      "bastion me@a:22",
      "bastion bob@b.example:22",
      "bastion ops@[2001:db8::1]:2222",
    ]);
  });

  test("the inventory's bastions replace ProxyJump", async () => {
    const sshConfigFile = write("Host *\n ProxyJump elsewhere\n");
    const via = [{ address: "gate", port: 22, user: "ops", hostKeys: [] }];
    const { bastions } = await resolve({ via, sshConfigFile });
    expect(bastions.map((hop) => hop.label)).toEqual(["bastion ops@gate:22"]);
  });

  test("ProxyJump none means direct", async () => {
    const sshConfigFile = write("Host edge\n ProxyJump none\nHost *\n ProxyJump gate\n");
    expect(await resolve({ sshConfigFile })).toMatchObject({ bastions: [] });
  });

  test("a bastion that jumps through itself is refused instead of looping", async () => {
    await expect(resolve({ sshConfigFile: write("Host *\n ProxyJump gate\n") })).rejects.toMatchObject({
      code: "usage",
      hint: expect.stringContaining("Host * !bastion"),
    });
  });

  test("ProxyCommand is refused rather than ignored", async () => {
    const sshConfigFile = write("Host edge\n ProxyCommand nc %h %p\n");
    await expect(resolve({ sshConfigFile })).rejects.toMatchObject({ code: "usage" });
  });

  test("Match exec runs nothing", async () => {
    const proof = join(home, "ran");
    await resolve({ sshConfigFile: write(`Match exec "touch ${proof}"\n User x\n`) });
    expect(() => execFileSync("test", ["-e", proof])).toThrow();
  });

  test("a file that is not there is an error", async () => {
    await expect(resolve({ sshConfigFile: "~/nowhere" })).rejects.toMatchObject({ code: "usage" });
  });

  test("an Include that includes itself ends in an error", async () => {
    write("Include loop\n", "loop");
    await expect(resolve({ sshConfigFile: "~/.ssh/loop" })).rejects.toMatchObject({ code: "usage" });
  });
});

const hasSsh = spawnSync("ssh", ["-V"]).error === undefined;
describe.skipIf(!hasSsh && process.env.CI === undefined)("beside ssh -G", () => {
  const configs = {
    "first value wins": "Host e*\n User one\n Port 1\nHost edge\n User two\n Port 2\n HostName x\n",
    negation: "Host * !edge\n User wrong\nHost edge,other *\n User right\n",
    "case and equals signs": "HOST=edge\n  hostname = h.example\n  PORT=99\n  uSeR u\n",
    "options before any Host": "User top\nHost edge\n User late\n Port 5\n",
    "Match host": "Host edge\n HostName real\nMatch host real\n Port 7\n",
    "Match originalhost": "Match originalhost edge\n User orig\n",
    "Include at the top": "Include inc.conf\nPort 8\nHost edge\n User late\n",
    "Include by pattern": "Include conf.d/*.conf\nHost *\n Port 9\n",
    quotes: 'Host "edge"\n User "quoted"\n',
  };

  test.for(Object.entries(configs))("%s", async ([, text]) => {
    write("Host edge\n User included\n", "inc.conf");
    write("Host other\n Port 10\nHost edge\n HostName from-include\n", "conf.d/a.conf");
    // ssh looks for relative includes in the account's home; ours has its own.
    const absolute = text.replace(/Include (\S+)/, `Include ${join(home, ".ssh")}/$1`);
    const sshConfigFile = write(absolute);
    const { host } = await resolve({ ...open, user: "default", sshConfigFile });
    const output = execFileSync("ssh", ["-G", "-F", sshConfigFile, "edge"], { encoding: "utf8" });
    const expected = Object.fromEntries(output.split("\n").map((line) => line.split(" ", 2)));
    const local = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
    expect({ ...host, user: host.user === "default" ? local : host.user }).toMatchObject({
      address: expected.hostname,
      port: Number(expected.port),
      user: expected.user,
    });
  });
});
