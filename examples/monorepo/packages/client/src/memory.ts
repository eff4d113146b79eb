/** Remembers answers with their tags, the last ones that were used. */
export interface Known {
  readonly tag: string;
  readonly value: unknown;
}

export class Memory {
  readonly #most: number;
  readonly #known = new Map<string, Known>();

  constructor(most = 100) {
    this.#most = most;
  }

  get(url: string): Known | undefined {
    const known = this.#known.get(url);
    if (known !== undefined) this.put(url, known);
    return known;
  }

  put(url: string, known: Known): void {
    this.#known.delete(url);
    this.#known.set(url, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#most && oldest !== undefined) this.#known.delete(oldest);
  }

  clear(): void {
    this.#known.clear();
  }
}
