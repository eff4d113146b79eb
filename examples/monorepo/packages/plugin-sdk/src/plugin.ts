/** What a house rule may do. */
import type { Event, Refusal, Shed } from "@toolshed/core";
import type { Cents, Day, Loan, Request } from "@toolshed/shared";

/** What a plug-in is given at each call. */
export interface Context {
  readonly shed: Shed;
  readonly today: Day;
  /** The plug-in's own settings, from the shed's configuration. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A house rule: any of its parts may be left out. */
export interface Plugin {
  /** Unique among the plug-ins of a shed. */
  readonly name: string;
  /** The version of this kit that it was written for. */
  readonly kit: 1;
  /** Refuses a reservation that the shed itself would accept; `null` lets it pass. */
  readonly mayReserve?: (context: Context, request: Request) => Refusal | null;
  /** Changes a fee; plug-ins are asked in order, each is given what the one before it said. */
  readonly fee?: (context: Context, loan: Loan, fee: Cents) => Cents;
  /** Is told what has happened, after it has; what it throws is noted and goes no further. */
  readonly happened?: (context: Context, event: Event) => void | Promise<void>;
}

/** Says what a plug-in is, and has the compiler check it. */
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}
