import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { defineCommand } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";

export const command = defineCommand({
  arguments: [["<shell>", "bash, zsh or fish"]],
  examples: [
    "macula-fleet completion bash > ~/.local/share/bash-completion/completions/macula-fleet",
    "macula-fleet completion zsh > ~/.zfunc/_macula-fleet    # with ~/.zfunc in fpath",
    "macula-fleet completion fish > ~/.config/fish/completions/macula-fleet.fish",
  ],
  schema: z.object({}),
  async run(app, { args }) {
    const shell = SHELLS.find((s) => s === args[0]);
    if (!shell) {
      throw new FleetError("usage", `no completion for "${args[0] ?? ""}"`, {
        hint: `there is one for ${SHELLS.join(", ")}`,
      });
    }
    app.print(completionScript(shell));
    return EXIT.ok;
  },
});
