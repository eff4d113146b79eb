export { Host, type Fault, type Settings } from "./host.js";
export { definePlugin, type Context, type Plugin } from "./plugin.js";
export { closedDays, holidays, ownersPayHalf } from "./rules.js";
