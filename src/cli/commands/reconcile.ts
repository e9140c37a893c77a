import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { currentTarget } from "../../operate/current-target.ts";
import { startRun } from "../../rollout/begin.ts";
import { isBehind, settleCaughtUp } from "../../rollout/catch-up.ts";
import { plural, shortRevision } from "../../ui/view/format.ts";
import { defineCommand, type OptionSpec } from "../command.ts";
import { driveRun } from "../follow.ts";
import { isMachine } from "../hosts.ts";
import { makePlan, showPlan } from "../planning.ts";
import { POLICY_OPTIONS, PolicyOptions } from "../policy-options.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory to read"]],
  options: [
    ...POLICY_OPTIONS.map(
      (option): OptionSpec =>
        option[0] === "--to <rev>"
          ? [option[0], "revision to catch up to", "the newest that went through"]
          : option,
    ),
    ["--check", "only show what would be done"],
    ["--detailed-exitcode", "with --check: exit 2 when there is something to change"],
  ],
  examples: [
    "macula-fleet reconcile --check",
    "macula-fleet reconcile --yes    # from a timer, every hour",
    "macula-fleet reconcile --limit site=gent",
  ],
  schema: PolicyOptions.extend({
    check: z.boolean().default(false),
    detailedExitcode: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    const fleet = await app.inventory(args[0]);
    const known = await app.store(fleet);
    if (![...(await known.hosts()).values()].some(isBehind)) {
      app.note("no host is behind");
      if (isMachine(app)) app.json({ hosts: [], excluded: [] });
      return EXIT.ok;
    }
    const to = options.to ?? currentTarget(await known.runs());
    if (to === null) {
      throw new FleetError(
        "usage",
        "no rollout of this fleet has gone through yet: what should hosts catch up to?",
        {
          hint: "roll something out first, or name it with --to REV",
        },
      );
    }
    const { plan, inventory, store, remote } = await makePlan(app, args[0], { ...options, to }, isBehind);
    const waiting = plan.excluded.filter((e) => e.state === "deferred");
    if (plan.hosts.length === 0) {
      if (isMachine(app)) app.json(plan);
      if (waiting.length === 0) {
        app.note("no host is behind");
        await settleCaughtUp(store, plan);
        return EXIT.ok;
      }
      app.note(`${plural(waiting.length, "host")} still cannot be caught up:`);
      for (const { host, reason } of waiting) app.note(`  ${host}: ${reason}`);
      return EXIT.hostsDeferred;
    }
    const machine = isMachine(app);
    if (options.check) {
      if (machine) app.json(plan);
      else await showPlan(app, inventory, plan, { to: "stdout" });
      return options.detailedExitcode ? EXIT.changes : EXIT.ok;
    }
    const shown = !machine && !app.globals.yes;
    if (shown) await showPlan(app, inventory, plan, { to: "stderr" });
    const question = `Catch ${plural(plan.hosts.length, "host")} up to ${shortRevision(plan.revision)}?`;
    if (!(await app.confirm(question))) return EXIT.error;
    await startRun(store, plan, { operator: app.operator, clock: app.clock });
    await settleCaughtUp(store, plan);
    return driveRun(app, plan.id, store, remote, { inventory, planShown: shown });
  },
});
