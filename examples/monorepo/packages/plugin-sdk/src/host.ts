/** Runs the plug-ins of a shed, so that a bad one spoils nothing. */
import type { Decision, Event, Shed } from "@toolshed/core";
import { err, money, ok, type Cents, type Day, type Loan, type Request, type Result } from "@toolshed/shared";

import type { Context, Plugin } from "./plugin.js";

/** A plug-in that threw, or that answered with what it may not. */
export interface Fault {
  readonly plugin: string;
  readonly during: "mayReserve" | "fee" | "happened";
  readonly message: string;
}

/** Settings of each plug-in, by its name. */
export type Settings = Readonly<Record<string, Readonly<Record<string, string>>>>;

export class Host {
  readonly #plugins: readonly Plugin[];
  readonly #settings: Settings;
  readonly #note: (fault: Fault) => void;

  private constructor(plugins: readonly Plugin[], settings: Settings, note: (fault: Fault) => void) {
    this.#plugins = plugins;
    this.#settings = settings;
    this.#note = note;
  }

  /** A host of plug-ins with different names, all written for this kit. */
  static create(
    plugins: readonly Plugin[],
    settings: Settings = {},
    note: (fault: Fault) => void = () => undefined,
  ): Result<Host, string> {
    const names = new Set<string>();
    for (const { name, kit } of plugins) {
      if (names.has(name)) return err(`two plug-ins are called ${name}`);
      if (kit !== 1) return err(`${name} was written for kit ${String(kit)}, this is 1`);
      names.add(name);
    }
    const stray = Object.keys(settings).find((name) => !names.has(name));
    if (stray !== undefined) return err(`there are settings for ${stray}, which is no plug-in of this shed`);
    return ok(new Host(plugins, settings, note));
  }

  /** A decision to reserve, unless a plug-in refuses it. */
  checkReservation(shed: Shed, today: Day, request: Request, decision: Decision): Decision {
    if (!decision.ok) return decision;
    for (const plugin of this.#plugins) {
      const refusal = this.#try(plugin, "mayReserve", null, () =>
        plugin.mayReserve?.(this.#context(plugin, shed, today), request) ?? null,
      );
      if (refusal !== null) return err({ ...refusal, message: `${refusal.message} (${plugin.name})` });
    }
    return decision;
  }

  /** A fee as the plug-ins leave it: never below nothing. */
  fee(shed: Shed, today: Day, loan: Loan, fee: Cents): Cents {
    return this.#plugins.reduce(
      (before, plugin) =>
        this.#try(plugin, "fee", before, () => {
          const after = plugin.fee?.(this.#context(plugin, shed, today), loan, before) ?? before;
          if (!Number.isSafeInteger(after) || after < 0) throw new RangeError(`${after} is no fee`);
          return money.cents(after);
        }),
      fee,
    );
  }

  /** Tells every plug-in, and waits for all of them. */
  async tell(shed: Shed, today: Day, event: Event): Promise<void> {
    const told = this.#plugins.map(async (plugin) => {
      try {
        await plugin.happened?.(this.#context(plugin, shed, today), event);
      } catch (error) {
        this.#fault(plugin, "happened", error);
      }
    });
    await Promise.all(told);
  }

  #context(plugin: Plugin, shed: Shed, today: Day): Context {
    return { shed, today, settings: this.#settings[plugin.name] ?? {} };
  }

  #try<T>(plugin: Plugin, during: Fault["during"], otherwise: T, call: () => T): T {
    try {
      return call();
    } catch (error) {
      this.#fault(plugin, during, error);
      return otherwise;
    }
  }

  #fault(plugin: Plugin, during: Fault["during"], error: unknown): void {
    this.#note({ plugin: plugin.name, during, message: error instanceof Error ? error.message : String(error) });
  }
}
