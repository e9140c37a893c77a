/**
 * The architecture as rules: effects stand around a pure core, arrows point inward.
 * kernel <- inventory <- plan <- rollout <- {host, install, ui, lab, cli}; only app.ts and cli pick implementations.
 */
const pure = "^src/(plan|ui/view|lab/machine)/|^src/rollout/(already-there|at-rest|attend|bodies|budgets|classes|commands|context|decide|effects|events|given-up|groups|guarded|host-evolve|host-map|host-progress|host-states|interpret|interpret-failure|next|outage|progress|promote|reconcile|roll-back|rollback-hosts|rules|slots|soak|state|summary|timing|undo|window-wait)\\.ts$|^src/inventory/(model|select|select-parse|ranges|merge|views|target|resolved-json|seeds)\\.ts$|^src/install/(plan|disk)\\.ts$|^src/install/(checks|anywhere/(command|progress))|^src/health/evaluate\\.ts$|^src/nix/(commands|parse)\\.ts$";
const test = "\\.test\\.ts$";

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    {
      name: "pure-stays-pure",
      comment: "pure files know no node:*, no clock, no library with effects",
      severity: "error",
      from: { path: pure, pathNot: test },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?util$" },
    },
    {
      name: "pure-imports-pure",
      severity: "error",
      from: { path: "^src/(plan)/", pathNot: test },
      to: { path: "^src/", pathNot: "^src/(plan|inventory|errors|kernel)" },
    },
    { name: "kernel-is-the-ground", severity: "error", from: { path: "^src/kernel/" }, to: { path: "^src/", pathNot: "^src/(kernel/|errors)" } },
    {
      name: "rollout-knows-no-implementation",
      comment: "the engine meets hosts and stores through their interfaces only",
      severity: "error",
      from: { path: "^src/rollout/", pathNot: test },
      to: { path: "^src/(transport|ui|lab|cli|app|store/(?!store)|host/(?!driver|protocol)|nix/(?!closures))" },
    },
    {
      name: "views-cannot-reach-hosts",
      severity: "error",
      from: { path: "^src/ui/", pathNot: test },
      to: { path: "^src/(transport|host/(?!protocol)|nix|lab|cli|app|install/engine|store/(?!store))" },
    },
    { name: "nobody-imports-the-cli", severity: "error", from: { path: "^src/", pathNot: "^src/(cli/|main)" }, to: { path: "^src/cli/" } },
    {
      name: "the-lab-is-not-the-product",
      comment: "only the composition root, the lab's own commands and the simulation (its pure machine) know the lab",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(lab/|cli/|app|simulation/)" },
      to: { path: "^src/lab/" },
    },
    {
      name: "the-simulation-is-pure",
      severity: "error",
      from: { path: "^src/simulation/" },
      to: { path: "^src/lab/", pathNot: "^src/lab/machine/" },
    },
    {
      name: "stores-stay-behind-their-interface",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(store/|app|cli/|lab/|simulation/)" },
      to: { path: "^src/store/(?!store\\.ts$)" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default"] },
  },
};
