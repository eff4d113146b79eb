/** `node server.mjs`: a shed on a port of this machine. */
import { fileURLToPath } from "node:url";

import { closedDays, holidays, Host, ownersPayHalf } from "@toolshed/plugin-sdk";
import { expect, today } from "@toolshed/shared";

import { describe } from "./describe.js";
import { serve } from "./http.js";
import { Service } from "./service.js";
import { EventFile } from "./storage.js";

const { PORT = "8080", SHED_FILE = "shed.jsonl", SHED_CLOSED = "7", SHED_ZONE = "Europe/Vienna" } = process.env;

const rules = [closedDays, holidays, ownersPayHalf];
const settings = { "closed-days": { days: SHED_CLOSED } };
const host = expect(Host.create(rules, settings, ({ plugin, during, message }) => console.error(`${plugin}, ${during}: ${message}`)));
const service = new Service(new EventFile(SHED_FILE), host, () => today(new Date(), SHED_ZONE));
const site = fileURLToPath(new URL("./site", import.meta.url));
const server = serve(service, JSON.stringify(describe("1.0.0")), site);

server.listen(Number(PORT), "127.0.0.1", () => console.log(`the shed is open: http://127.0.0.1:${PORT}/`));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => server.close());
