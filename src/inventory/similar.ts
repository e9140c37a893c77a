import { distance } from "fastest-levenshtein";

/** The candidate a typo most likely meant, or undefined when none is close. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.min(3, Math.floor(word.length / 2.5)));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const d = distance(word.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}

/** ` Did you mean "x"?` or the first known names, or nothing when there are none. */
export function suggestion(word: string, known: readonly string[], what: string): string {
  const close = didYouMean(word, known);
  if (close !== undefined) return `Did you mean "${close}"?`;
  if (known.length === 0) return `There are no ${what}.`;
  const shown = known.slice(0, 8).join(", ");
  return `${what[0]?.toUpperCase()}${what.slice(1)} are ${shown}${known.length > 8 ? ", …" : ""}.`;
}
