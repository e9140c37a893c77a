/** Who may log in. */
import { Secret } from "../../kernel/secret.ts";
import { type Contribution, type Mapping, type NeedsHuman, needs, secretFile } from "../contribution.ts";

const KEY = /^(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+=*(?: .*)?$/;
const REMOTE = /^(?:github:|gitlab:|https?:\/\/)/;

export const authorizedKeys: Mapping = {
  topic: "ssh keys",
  map({ config, files }): Contribution {
    const human: NeedsHuman[] = [];
    const resolved = (files.text("/home/macula/.ssh/authorized_keys") ?? "")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
    const wanted = (config.sshAuthorizedKeys ?? []).map((k) => k.trim()).filter((k) => k !== "");
    const remote = wanted.filter((k) => REMOTE.test(k));
    if (remote.length > 0 && !resolved.some((k) => KEY.test(k))) {
      human.push(
        needs(
          "ssh keys",
          `${remote.join(", ")} cannot be resolved from here`,
          "add these people's keys to users.macula.keys",
        ),
      );
    }
    const all = [...new Set([...wanted.filter((k) => !REMOTE.test(k)), ...resolved])];
    const bad = all.filter((k) => !KEY.test(k));
    for (const line of bad) {
      human.push(
        needs(
          "ssh keys",
          `a key with options or of an unknown kind: ${line.slice(0, 24)}…`,
          "add it by hand: options such as from= are not carried over",
        ),
      );
    }
    const keys = all.filter((k) => KEY.test(k));
    if (keys.length === 0)
      human.push(needs("ssh keys", "nobody could log in", "add at least one key to users.macula.keys"));
    return {
      ...(keys.length > 0 ? { host: { users: { macula: { keys } } } } : {}),
      human,
      ...(remote.length > 0 && keys.length > 0
        ? { notes: [`keys of ${remote.join(", ")} were pinned as they are now`] }
        : {}),
    };
  },
};

export const password: Mapping = {
  topic: "password",
  map(node): Contribution {
    const value = node.os.password;
    if (!value) return {};
    if (!value.startsWith("$")) {
      return {
        human: [
          needs(
            "password",
            "a password in plain text, which never worked on this node",
            "leave it out; keys are enough. Else: users.macula.passwordHashRef with the output of mkpasswd",
          ),
        ],
      };
    }
    const file = secretFile(node, "password-hash");
    return {
      host: { users: { macula: { passwordHashRef: `file:${file}` } } },
      secrets: [{ file, value: new Secret(value) }],
      notes: [
        "the password never worked on this node (it was set for a user that does not exist); from now on it does",
      ],
    };
  },
};
