// On pages that `bnet site serve` sends: buttons that act, and news without loading the page again.
(() => {
  "use strict";
  const own = new URL(".", document.currentScript.src);
  const mark = document.querySelector('meta[name="bnet-mark"]').content;
  const said = Object.assign(document.createElement("p"), { id: "said", className: "said", hidden: true });
  said.setAttribute("role", "status");
  document.body.append(said);

  const tell = (text, bad, jobs = []) => {
    said.textContent = text;
    said.classList.toggle("bad", bad);
    for (const number of jobs.slice(0, 1)) {
      const link = document.createElement("a");
      link.href = new URL(`../jobs/${String(Math.floor(number / 100)).padStart(4, "0")}/${number}.html`, own);
      link.textContent = `Show #${number}`;
      said.append(" ", link);
    }
    said.hidden = false;
  };

  // -- buttons
  const ask = async (command) => {
    const answer = await fetch(new URL("act", own), {
      method: "POST", headers: { "Content-Type": "application/json", "X-Bnet-Mark": mark }, body: JSON.stringify(command),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error([told.error, told.hint].filter(Boolean).join("; "));
    return told;
  };
  const offer = () => {
    for (const each of document.querySelectorAll("[data-command]:not([data-acts])")) {
      each.dataset.acts = "";
      const title = each.querySelector("b").textContent, form = document.createElement("form");
      const button = Object.assign(document.createElement("button"), { className: "do", textContent: `${title} now` });
      let input;
      if (each.dataset.ask) {
        const word = each.dataset.ask === "reject" ? "why" : each.dataset.ask;
        input = Object.assign(document.createElement("input"), { placeholder: word, required: "must" in each.dataset, autocomplete: "off" });
        input.setAttribute("aria-label", `${title}: ${word}`);
        form.append(input);
      }
      form.append(button);
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const command = JSON.parse(each.dataset.command), [fields] = Object.values(command);
        if (input && (input.value || input.required)) fields[each.dataset.ask] = input.value;
        button.disabled = true;
        tell(`${title}: asked …`, false);
        try {
          const told = await ask(command);
          if (input) input.value = "";
          tell(told.said, false, told.jobs);
        } catch (error) {
          tell(error instanceof TypeError ? "The server does not answer; whether it was done is not known." : error.message, true);
        }
        button.disabled = false;
      });
      each.querySelector("span").after(form);
    }
  };

  // -- news
  const fresh = async () => {
    const answer = await fetch(location.pathname, { cache: "no-cache" });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  };
  // The blocks of a page by what they are: "h1", "section why", "details acts", and a number where several are alike.
  const blocks = (page) => {
    const found = new Map(), seen = {};
    for (const each of page.querySelector("main").children) {
      const name = `${each.tagName} ${each.getAttribute("aria-labelledby") || each.classList[0] || ""}`;
      seen[name] = (seen[name] || 0) + 1;
      found.set(`${name} ${seen[name]}`, each);
    }
    return found;
  };
  const texts = (found) => new Map([...found].map(([name, each]) => [name, each.outerHTML]));
  const sources = (page) => [...page.querySelectorAll("head script")].map((each) => each.getAttribute("src")).join(" ");
  const main = document.querySelector("main"), scripts = sources(document);
  let live = blocks(document), before = texts(live); // as they were sent: no other script has run yet

  const inUse = (block) => {
    const at = document.activeElement, chosen = getSelection();
    return (block.contains(at) && /^(input|select|textarea)$/i.test(at.tagName) && at.value !== "")
      || (!chosen.isCollapsed && block.contains(chosen.anchorNode));
  };
  const kept = "a, button, summary, input, select";
  const all = (block, what) => [block, ...block.querySelectorAll("*")].filter((each) => each.matches(what));
  const swap = (old, made) => {
    const open = all(old, "details").map((each) => each.open);
    const focus = all(old, kept).indexOf(document.activeElement);
    const scrolled = all(old, "[id], .wide").map((each) => [each.scrollTop, each.scrollLeft, each.scrollTop + each.clientHeight >= each.scrollHeight - 2]);
    old.replaceWith(made);
    return () => {
      all(made, "details").forEach((each, at) => { if (at < open.length) each.open = open[at]; });
      all(made, "[id], .wide").forEach((each, at) => {
        const [top, left, end] = scrolled[at] || [0, 0, false];
        if (top || left) each.scrollTo({ top: end ? each.scrollHeight : top, left, behavior: "instant" });
      });
      if (focus >= 0) all(made, kept)[focus]?.focus({ preventScroll: true });
    };
  };
  const again = (name) => {
    const script = document.querySelector(`head script[src*="assets/${name}.js"]`);
    if (script) document.head.append(Object.assign(document.createElement("script"), { src: script.src }));
  };
  // A script that is not known here may have drawn what is replaced: then the reader says when.
  const strangers = [...document.querySelectorAll('head script[src*="assets/"]')].filter((each) => !/\/(theme|site|actions|filter|log|graph|search)\.js/.test(each.src));
  const later = () => {
    if (document.hidden) { location.reload(); return; }
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Show it" });
    button.addEventListener("click", () => location.reload());
    tell("There is something new on this page.", false);
    said.append(" ", button);
  };
  const show = (page) => {
    if (sources(page) !== scripts) { location.reload(); return; } // it needs what this one has not loaded
    const next = blocks(page), now = texts(next), after = [];
    if (now.size === before.size && [...now].every(([name, text]) => before.get(name) === text)) return;
    if (strangers.length) { later(); return; }
    for (const [name, each] of live) {
      if (next.has(name)) continue;
      if (inUse(each)) return; // it is tried again with the next news
      each.remove();
      live.delete(name);
    }
    let last = null;
    for (const [name, each] of next) {
      const old = live.get(name);
      if (old && (before.get(name) === now.get(name) || inUse(old))) {
        now.set(name, before.get(name)); // which says so the next time, if it is in use
        next.set(name, old);
      } else if (old) {
        after.push(swap(old, each));
      } else if (last) {
        last.after(each);
      } else {
        main.prepend(each);
      }
      last = next.get(name);
    }
    live = next;
    before = now;
    document.title = page.title;
    document.dispatchEvent(new CustomEvent("bnet-updated"));
    if (main.querySelector(".tools:empty")) again("log"); // what it knows of is gone with the old lines
    for (const each of after) each();
  };
  let busy = false, more = false;
  const update = async () => {
    if (busy) { more = true; return; }
    busy = true;
    try {
      const page = await fresh();
      if (page && page.querySelector('meta[name="bnet-mark"]')?.content !== mark) location.reload(); // another server by now
      else if (page) show(page);
    } catch { /* the server has gone; there will be news when it is back */ }
    busy = false;
    if (more) { more = false; update(); }
  };
  const heard = (built) => {
    document.dispatchEvent(new CustomEvent("bnet-built", { detail: built }));
    update();
  };

  offer();
  document.addEventListener("bnet-updated", offer);

  // One of the tabs listens for all of them: a browser opens six connections to a server, and no more.
  const channel = new BroadcastChannel("bnet-news");
  channel.addEventListener("message", (event) => heard(event.data));
  const listen = () => new Promise(() => {
    const open = () => {
      const source = new EventSource(new URL("events", own));
      source.addEventListener("message", (event) => { heard(event.data); channel.postMessage(event.data); });
      source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000); });
    };
    open();
  });
  if (navigator.locks) navigator.locks.request("bnet-news", listen);
  else listen(); // over http from another machine there are no such locks
})();
