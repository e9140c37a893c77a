/** A host image as a machine with systemd as its first process. */
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";

// The helper that would remove forgotten containers comes from a registry; tests stop what they start.
process.env.TESTCONTAINERS_RYUK_DISABLED = "true";

/** What the generic container cannot be told by method. */
export class Machine extends GenericContainer {
  constructor(tag: string) {
    super(tag);
    Object.assign(this.hostConfig, { CgroupnsMode: "private", RestartPolicy: { Name: "always" } });
    this.withAddedCapabilities("SYS_ADMIN", "NET_ADMIN")
      .withSecurityOpt("apparmor=unconfined")
      .withTmpFs({ "/run": "exec,mode=755", "/tmp": "exec,mode=1777" })
      .withWaitStrategy(Wait.forSuccessfulCommand("systemctl is-active --quiet ssh.service"));
  }
}

/** What a shell line printed; throws when it fails. */
export async function inside(machine: StartedTestContainer, script: string): Promise<string> {
  const { exitCode, output } = await machine.exec(["sh", "-c", script]);
  if (exitCode === 0) return output.trim();
  throw new Error(`exit ${exitCode}: ${output}`);
}
