export { Client, type Options } from "./client.js";
export { PATIENT, type Patience } from "./patience.js";
