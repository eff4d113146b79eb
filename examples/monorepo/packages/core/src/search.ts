/** Finds items by what people type, slips of the finger included: by the three-letter pieces that texts share. */

/** A text without case, accents and punctuation. */
export function plain(text: string): string {
  return text
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

export function pieces(text: string): Set<string> {
  const found = new Set<string>();
  for (const word of plain(text).split(" ")) {
    const padded = ` ${word} `;
    for (let at = 0; at + 3 <= padded.length; at++) found.add(padded.slice(at, at + 3));
  }
  return found;
}

export class Index<K> {
  readonly #byPiece = new Map<string, Set<K>>();
  readonly #sizes = new Map<K, number>();

  add(key: K, text: string): void {
    const all = pieces(text);
    this.#sizes.set(key, all.size);
    for (const piece of all) {
      const keys = this.#byPiece.get(piece) ?? new Set();
      this.#byPiece.set(piece, keys.add(key));
    }
  }

  /** Keys, best first: those that share at least half of what was asked for. */
  find(asked: string, least = 0.5): K[] {
    const wanted = pieces(asked);
    const shared = new Map<K, number>();
    for (const piece of wanted) {
      for (const key of this.#byPiece.get(piece) ?? []) shared.set(key, (shared.get(key) ?? 0) + 1);
    }
    const score = (key: K) => (shared.get(key) ?? 0) / wanted.size;
    const brevity = (key: K) => this.#sizes.get(key) ?? 0;
    return [...shared.keys()]
      .filter((key) => score(key) >= least)
      .sort((one, other) => score(other) - score(one) || brevity(one) - brevity(other));
  }
}
