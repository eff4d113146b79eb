/** Keeps the events of a shed in a file, one a line; the last line may be half of one, after a power cut. */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

import type { Event } from "@toolshed/core";

export interface Storage {
  /** What has happened so far. */
  load(): Event[];
  /** Returns once the event is safe. */
  append(event: Event): void;
}

export class Volatile implements Storage {
  readonly #events: Event[] = [];

  load(): Event[] {
    return [...this.#events];
  }

  append(event: Event): void {
    this.#events.push(event);
  }
}

export class EventFile implements Storage {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  load(): Event[] {
    if (!existsSync(this.#path)) return [];
    const bytes = readFileSync(this.#path);
    const whole = bytes.lastIndexOf("\n") + 1;
    if (whole < bytes.length) this.#cut(whole);
    const lines = bytes.subarray(0, whole).toString("utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Event);
  }

  append(event: Event): void {
    const file = openSync(this.#path, "a", 0o600);
    try {
      writeSync(file, `${JSON.stringify(event)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  #cut(length: number): void {
    const file = openSync(this.#path, "r+");
    try {
      ftruncateSync(file, length);
    } finally {
      closeSync(file);
    }
  }
}
