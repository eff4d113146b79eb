// Above the lists of a page: words to look for, states to choose.
(() => {
  "use strict";
  const place = document.getElementById("filter");
  let items, texts;
  const collect = () => {
    items = [...document.querySelectorAll("[data-state]")];
    texts = new Map(items.map((each) => [each, each.textContent.toLowerCase()]));
  };
  collect();
  if (!items.length) return;
  const states = [...new Set(items.map((each) => each.dataset.state))].sort();
  const make = (tag, attributes, text) => {
    const made = Object.assign(document.createElement(tag), attributes);
    if (text) made.textContent = text;
    return made;
  };
  const form = make("form", { className: "filter", role: "search" });
  const input = make("input", { type: "search", placeholder: "Filter by name, number, server, person …  (s)", autocomplete: "off" });
  input.setAttribute("aria-label", "Filter these jobs");
  const select = make("select", {});
  select.setAttribute("aria-label", "State");
  select.append(make("option", { value: "" }, "every state"), ...states.map((each) => make("option", { value: each }, each)));
  const told = make("output", { className: "quiet" });
  form.append(input, select, told);
  place.append(form);

  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const each of items) {
      const fits = (!select.value || each.dataset.state === select.value) && words.every((word) => texts.get(each).includes(word));
      each.hidden = !fits;
      shown += fits;
    }
    told.textContent = words.length || select.value ? `${shown} of ${items.length}` : "";
    const hash = new URLSearchParams();
    if (input.value) hash.set("q", input.value);
    if (select.value) hash.set("state", select.value);
    history.replaceState(null, "", hash.size ? `#${hash}` : location.pathname + location.search);
  };
  if (/^#(q|state)=/.test(location.hash)) {
    const asked = new URLSearchParams(location.hash.slice(1));
    input.value = asked.get("q") || "";
    select.value = asked.get("state") || "";
    apply();
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  document.addEventListener("bnet-updated", () => { collect(); apply(); });
})();
