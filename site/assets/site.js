// What every page is better with: ages, whether its publisher is alive, the look, keys.
(() => {
  "use strict";
  const root = document.documentElement;
  const every = Number(window.bnetEvery) || 0; // seconds between two builds; schedules of forges are often late
  const STALE = Math.max(15 * 60, 2 * every), DEAD = Math.max(2 * 3600, 4 * every);
  let built = window.bnetBuilt ? Date.parse(window.bnetBuilt) : NaN;

  const span = (seconds) => {
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const at = units.findIndex(([size]) => seconds >= size);
    if (at < 0) return "0 s";
    const [size, unit] = units[at], rest = units[at + 1];
    const part = rest && at < 2 ? Math.floor((seconds % size) / rest[0]) : 0;
    return `${Math.floor(seconds / size)} ${unit}` + (part ? ` ${part} ${rest[1]}` : "");
  };

  const tell = () => {
    const now = Date.now();
    for (const each of document.querySelectorAll("time[datetime]")) {
      const seconds = (now - Date.parse(each.dateTime)) / 1000;
      each.title ||= each.textContent + " UTC";
      const age = seconds < -1 ? `in ${span(-seconds)}` : seconds < 7 * 86400 ? `${span(Math.max(0, seconds))} ago` : each.dateTime.slice(0, 10);
      if (each.closest(".events")) each.title = age; // where the order of seconds matters, they stay
      else each.textContent = age;
    }
    for (const each of document.querySelectorAll("progress[data-since]")) {
      const passed = Math.max(0, (now - Date.parse(each.dataset.since)) / 1000);
      const whole = Number(each.dataset.seconds), figure = each.nextElementSibling;
      if (whole) each.value = Math.min(0.99, passed / whole);
      if (figure) figure.textContent = whole ? (passed < whole ? `~${span(whole - passed)} left` : `${span(passed - whole)} over`) : `for ${span(passed)}`;
    }
    if (Number.isNaN(built)) return;
    const age = (now - built) / 1000;
    document.getElementById("age").textContent = `The network was looked at ${span(Math.max(0, age))} ago.`;
    const stale = document.getElementById("stale");
    stale.hidden = age < STALE;
    stale.classList.toggle("dead", age >= DEAD);
    if (age >= STALE) stale.textContent = `What you see is ${span(age)} old: nothing was published since. Whoever publishes this site may be down.`;
  };
  tell();
  setInterval(tell, 1000);
  document.addEventListener("bnet-built", (event) => { built = Date.parse(event.detail); tell(); });

  const bar = document.querySelector(".top nav"), current = bar.querySelector("[aria-current]");
  if (current) bar.scrollLeft = current.offsetLeft - bar.offsetLeft - (bar.clientWidth - current.offsetWidth) / 2;

  const button = document.getElementById("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Show it ${dark() ? "light" : "dark"}`); };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("bnet-theme", root.dataset.theme); } catch { /* it lasts as long as the page */ }
    label();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(input|select|textarea)$/i.test(event.target.tagName)) return;
    const search = document.querySelector("input[type=search]");
    if ((event.key === "s" || event.key === "/") && search) { event.preventDefault(); search.focus(); }
    document.dispatchEvent(new CustomEvent("bnet-key", { detail: event.key }));
  });
})();
