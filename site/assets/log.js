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
    told.textContent = "nothing like that";
  };
  const told = document.createElement("output");
  told.className = "quiet";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "Search the log, Enter for the next  (s)";
  input.setAttribute("aria-label", "Search the log");
  input.addEventListener("keydown", (event) => {
    const wanted = input.value.toLowerCase();
    if (event.key === "Enter" && wanted) { event.preventDefault(); go((text) => text.toLowerCase().includes(wanted)); }
  });
  tools.append(input, button("Next failure", "f", () => go((text) => BAD.test(text))));
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
})();
