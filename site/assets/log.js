// Above a log: words to look for, the next failure, groups, a download of what is shown.
(() => {
  "use strict";
  const tools = document.querySelector(".tools"), log = document.getElementById("text");
  if (!tools || !log) return;
  const lines = [...log.querySelectorAll("div")];
  const words = (line) => line.textContent.slice(line.firstChild.textContent.length);
  const BAD = /\b(error|fail(ed|ure|ing)?|fatal|panic|exception|traceback|cannot|undefined reference)\b/i;
  const button = (text, key, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = key ? `${text} (${key})` : text;
    made.addEventListener("click", act);
    if (key) document.addEventListener("bnet-key", (event) => { if (event.detail === key) act(); });
    return made;
  };
  const whole = document.querySelector("#log ~ p a[href$='.html']"); // of a log whose end alone stands here
  let at = -1;
  const go = (test) => {
    for (let step = 1; step <= lines.length; step++) {
      const place = (at + step) % lines.length;
      if (!test(words(lines[place]))) continue;
      lines[at]?.classList.remove("found");
      at = place;
      const group = lines[at].closest("details");
      if (group) group.open = true;
      lines[at].classList.add("found");
      lines[at].scrollIntoView({ block: "center" });
      told.textContent = `line ${lines[at].firstChild.textContent}`;
      return;
    }
    told.textContent = whole ? "nothing like that in the end of it; all of it is on pages of its own" : "nothing like that";
  };
  // A log on several pages is searched from this place on, page by page, until it comes to where it began.
  const pages = [...(document.querySelector("main nav .pager")?.querySelectorAll("a") ?? [])];
  const here = pages.findIndex((each) => each.hasAttribute("aria-current"));
  const seek = (kind, wanted, begun = here) => {
    const test = kind === "failure" ? (text) => BAD.test(text) : (text) => text.toLowerCase().includes(wanted);
    const later = lines.findIndex((line, place) => place > at && test(words(line)));
    if (pages.length < 2 || later >= 0) { go(test); return; }
    const next = (here + 1) % pages.length;
    if (next === begun) { told.textContent = "nothing further"; return; }
    const hash = new URLSearchParams({ seek: kind, words: wanted, begun });
    location.href = `${pages[next].getAttribute("href")}#${hash}`;
  };
  const told = document.createElement("output");
  told.className = "quiet";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "Search the log, Enter for the next  (s)";
  input.setAttribute("aria-label", "Search the log");
  input.addEventListener("keydown", (event) => {
    const wanted = input.value.toLowerCase();
    if (event.key === "Enter" && wanted) { event.preventDefault(); seek("words", wanted); }
  });
  tools.append(input, button("Next failure", "f", () => seek("failure", "")));
  const groups = [...log.querySelectorAll("details")];
  if (groups.length) tools.append(button("Groups", "g", () => { const open = !groups[0].open; for (const each of groups) each.open = open; }));
  tools.append(button("End", "j", () => lines.at(-1)?.scrollIntoView({ block: "end" })));
  if (tools.dataset.name) tools.append(button("Download", "", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.map(words).join("\n") + "\n"], { type: "text/plain" }));
    link.download = tools.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  }));
  tools.append(told);
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("seek")) {
    input.value = asked.get("words");
    history.replaceState(null, "", location.pathname + location.search);
    if (asked.get("seek") === "words") input.focus({ preventScroll: true }); // Enter goes on
    seek(asked.get("seek"), asked.get("words"), Number(asked.get("begun")));
  }
})();
