export { html, Html, type Content } from "./html.js";
export { placeOf, render, type Place } from "./pages.js";
export { calendar, card, cards, frame, loansTable, trouble } from "./parts.js";
