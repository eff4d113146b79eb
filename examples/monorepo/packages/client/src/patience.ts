/** When to try again, and after how long. */
export interface Patience {
  readonly tries: number;
  readonly firstMs: number;
  readonly mostMs: number;
}

export const PATIENT: Patience = { tries: 4, firstMs: 200, mostMs: 3_000 };

/** Milliseconds to wait after each try; null after the last. */
export function* delays({ tries, firstMs, mostMs }: Patience = PATIENT): Generator<number | null> {
  for (let number = 1; number < tries; number++) yield Math.min(firstMs * 2 ** (number - 1), mostMs);
  yield null;
}

/** Only what changes nothing is asked twice; a refusal stays a refusal. */
export function worthAnother(method: string, status: number): boolean {
  return method === "GET" && (status === 429 || status >= 500);
}
