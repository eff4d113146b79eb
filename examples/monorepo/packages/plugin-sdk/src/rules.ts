/** House rules that many sheds have. */
import { daysOf, money, weekday } from "@toolshed/shared";

import { definePlugin, type Plugin } from "./plugin.js";

/** Nobody opens on these days of the week: nothing begins or ends on them. Setting `days`: `6,7`. */
export const closedDays: Plugin = definePlugin({
  name: "closed-days",
  kit: 1,
  mayReserve({ settings }, { from, to }) {
    const closed = new Set((settings["days"] ?? "7").split(",").map(Number));
    const hit = [from, to].find((day) => closed.has(weekday(day)));
    return hit === undefined ? null : { code: "wrong-time", message: `nobody opens on ${hit}` };
  },
});

/** Days on which the shed was closed are not counted as late. Setting `from`, `to`: days. */
export const holidays: Plugin = definePlugin({
  name: "holidays",
  kit: 1,
  fee({ settings }, loan, fee) {
    const { from, to } = settings;
    if (from === undefined || to === undefined || loan.returned === undefined || fee === 0) return fee;
    const late = [...daysOf({ from: loan.to, to: loan.returned })].slice(1);
    const forgiven = late.filter((day) => from <= day && day <= to).length;
    return money.percent(fee, 100 - Math.round((100 * forgiven) / late.length));
  },
});

/** Owners of what is in the shed pay half. */
export const ownersPayHalf: Plugin = definePlugin({
  name: "owners-pay-half",
  kit: 1,
  fee({ shed }, loan, fee) {
    const owns = [...shed.items.values()].some((item) => item.owner === loan.member);
    return owns ? money.percent(fee, 50) : fee;
  },
});
