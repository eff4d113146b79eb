// A search of all jobs: the index comes in pieces, the newest first, as many as it takes.
(() => {
  "use strict";
  let place = document.getElementById("search"), blocks = [];
  const root = place.dataset.root;
  const MOST = 100, STATES = ["success", "failure", "error", "timeout", "cancelled", "skipped", "running", "pending"];
  const HEADS = ["Job", "Name", "State", "Server", "Took", "When", "By", "Branch", "Commit"];
  const make = (tag, attributes, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };
  const form = make("form", { className: "filter", role: "search" });
  const input = make("input", { type: "search", placeholder: "Name, number, server, person, branch, commit …  (s)", autocomplete: "off" });
  input.setAttribute("aria-label", "Search all jobs");
  const select = make("select", {}, make("option", { value: "" }, "every state"), ...STATES.map((each) => make("option", { value: each }, each)));
  select.setAttribute("aria-label", "State");
  const told = make("output", { className: "quiet" });
  form.append(input, select, told);
  const body = make("tbody", {}), more = make("button", { type: "button", hidden: true }, "Older ones");
  const head = make("tr", {}, ...HEADS.map((each) => make("th", { scope: "col" }, each)));
  const table = make("table", { className: "jobs" }, make("caption", { className: "sr" }, "Jobs that were found"), make("thead", {}, head), body);
  const wide = make("div", { className: "wide", hidden: true }, table);
  const parts = [form, wide, make("p", {}, more)];
  const settle = () => {
    place = document.getElementById("search");
    place.replaceChildren(...parts);
    blocks = place.dataset.blocks.split(" ").filter(Boolean).map(Number);
  };
  settle();

  // -- pieces
  const pieces = new Map(), waiting = new Map();
  window.bnetFound = (at, rows) => {
    pieces.set(at, rows.map((row) => ({ row, text: row.slice(2).join(" ").toLowerCase() + ` #${row[0]}` })));
    waiting.get(at)?.();
  };
  const piece = (at) => new Promise((resolve) => {
    if (pieces.has(at)) { resolve(pieces.get(at)); return; }
    waiting.set(at, () => resolve(pieces.get(at)));
    const script = make("script", { src: `${root}jobs/search/${at}.js` });
    script.addEventListener("error", () => resolve([])); // published a moment ago, and not here yet
    document.head.append(script);
  });

  const line = ([number, path, name, kind, why, server, took, at, by, branch, commit]) => {
    const state = make("td", {}, make("span", { className: `st st-${kind}` }, kind), why ? " " : "", why ? make("small", {}, why) : "");
    const when = make("td", {}, make("time", { dateTime: at, title: at }, at.slice(0, 10)));
    return make("tr", {}, make("td", { className: "num" }, make("a", { href: root + path }, `#${number}`)), make("th", { scope: "row" }, name), state,
      make("td", {}, server), make("td", { className: "num" }, took), when, make("td", { className: "by" }, by), make("td", { className: "by" }, branch),
      make("td", { className: "mono by" }, commit));
  };

  let asked = 0, at = 0, from = 0;
  const search = async (anew) => {
    const mine = ++asked, words = input.value.toLowerCase().split(/\s+/).filter(Boolean), state = select.value;
    if (anew) { at = from = 0; body.replaceChildren(); }
    more.hidden = true;
    const hash = new URLSearchParams();
    if (input.value) hash.set("q", input.value);
    if (state) hash.set("state", state);
    history.replaceState(null, "", hash.size ? `#${hash}` : location.pathname + location.search);
    if (!words.length && !state) { wide.hidden = true; told.textContent = ""; return; }
    let left = MOST;
    for (; at < blocks.length && left > 0; at++, from = 0) {
      told.textContent = `searching, ${blocks.length - at} pieces left`;
      const rows = await piece(blocks[at]);
      if (mine !== asked) return; // somebody went on typing
      for (; from < rows.length && left > 0; from++) {
        const { row, text } = rows[from];
        if ((state && row[3] !== state) || !words.every((word) => text.includes(word))) continue;
        body.append(line(row));
        left--;
      }
      if (from < rows.length) break;
    }
    wide.hidden = !body.rows.length;
    more.hidden = left > 0;
    told.textContent = `${body.rows.length || "nothing"} found${left > 0 ? "" : " so far"}`;
  };
  // News came: the page has a new place for it, and what was typed and found moves there. The pieces are asked for
  // anew by the next search, for a job that has ended is in another state by now.
  document.addEventListener("bnet-updated", () => {
    if (document.getElementById("search") === place) return;
    const focused = document.activeElement === input;
    settle();
    pieces.clear();
    if (focused) input.focus({ preventScroll: true });
    if (input.value || select.value) search(true);
  });
  let timer = 0;
  form.addEventListener("submit", (event) => { event.preventDefault(); search(true); });
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 200, true); });
  more.addEventListener("click", () => search(false));
  const hash = new URLSearchParams(location.hash.slice(1));
  input.value = hash.get("q") || "";
  select.value = hash.get("state") || "";
  if (input.value || select.value) search(true); else input.focus();
})();
