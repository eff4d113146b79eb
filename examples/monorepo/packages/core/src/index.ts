export * as calendar from "./calendar.js";
export * as decide from "./decide.js";
export type { Decision, Refusal, RefusalCode } from "./decide.js";
export type { Event } from "./events.js";
export { lateFee } from "./fees.js";
export * as look from "./look.js";
export { Index, plain } from "./search.js";
export { EMPTY, apply, owedBy, replay, type Shed } from "./state.js";
