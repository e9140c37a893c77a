/**
 * Sentences for people are not mutated: a literal with a blank in it is one, since no state, code, key or path here has
 * any. Templates that compute something are mutated all the same, because leaving one out leaves out what is inside.
 */
import type { NodePath } from "@stryker-mutator/api/ignore";
import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

interface Node {
  readonly type: string;
  readonly value: string;
  readonly computed: boolean;
  readonly object: Node;
  readonly quasis: readonly { readonly value: { readonly cooked: string } }[];
  readonly expressions: readonly Node[];
}

const isSentence = (text: string) => /\S\s+\S/.test(text);
const isPlain = (node: Node): boolean =>
  node.type === "Identifier" || (node.type === "MemberExpression" && !node.computed && isPlain(node.object));

function shouldIgnore(path: NodePath): string | undefined {
  const { node } = path as unknown as { readonly node: Node };
  const text =
    node.type === "StringLiteral"
      ? node.value
      : node.type === "TemplateLiteral" && node.expressions.every(isPlain)
        ? node.quasis.map((q) => q.value.cooked).join("x")
        : "";
  return isSentence(text) ? "a sentence for people" : undefined;
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, "human-text", { shouldIgnore })];
