/** Texts that say the same of one host or site after another. Pure. */

/** Groups of texts that differ in nothing but `names`, each in order, the first to come first. */
export function alike<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  names: ReadonlySet<string>,
): readonly (readonly T[])[] {
  const shape = (item: T) =>
    textOf(item).replace(/[\w-]+(?:\.[\w-]+)*/g, (word) => (names.has(word) ? "…" : word));
  return [...Map.groupBy(items, shape).values()];
}

/** The first few, and how many more there are; one more than `most` is not worth a line of its own. */
export function firstOf<T>(
  items: readonly T[],
  most: number,
): { readonly shown: readonly T[]; readonly more: number } {
  const shown = items.length <= most + 1 ? items : items.slice(0, most);
  return { shown, more: items.length - shown.length };
}
