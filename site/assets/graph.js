// On a picture of packages: zoom, choose, move, and take it away as a file.
(() => {
  "use strict";
  const STYLE = ["fill", "stroke", "stroke-width", "font-family", "font-size", "font-weight", "opacity"];
  const find = (selector) => document.querySelector(selector);
  const make = (tag, attributes, text) => {
    const made = Object.assign(document.createElement(tag), attributes);
    if (text) made.textContent = text;
    return made;
  };

  const brought = []; // each with its place and tree, and how to leave it, which returns what it looked like
  const bring = (place, as) => {
    const gone = new AbortController(), { signal } = gone;
    const svg = place.querySelector("svg"), pane = place.querySelector(".picture"), told = place.querySelector(".chosen");
    const nodes = [...svg.querySelectorAll("a.node")];
    const names = nodes.map((each) => find(each.getAttribute("href")).cells[0].textContent);
    const edges = [...svg.querySelectorAll("path.edge")].map((line) => {
      const [from, to] = line.dataset.ends.split(" ").map(Number);
      return { line, tip: line.nextElementSibling, from, to };
    });
    const whole = svg.viewBox.baseVal, wide = whole.width, high = whole.height;
    const size = { wide: () => pane.clientWidth - 32, high: () => Math.min(innerHeight * 0.7, Math.max(200, high)) };
    let view = { x: 0, y: 0, scale: 1 };

    const show = () => {
      const w = size.wide() / view.scale, h = size.high() / view.scale;
      svg.setAttribute("width", size.wide());
      svg.setAttribute("height", size.high());
      svg.setAttribute("viewBox", `${view.x} ${view.y} ${w} ${h}`);
    };
    const fit = () => {
      const scale = Math.max(0.6, Math.min(1.25, size.wide() / wide, size.high() / high)); // smaller, nobody reads it
      const fits = wide * scale <= size.wide() + 1;
      view = { scale, x: fits ? (wide - size.wide() / scale) / 2 : 0, y: (high - size.high() / scale) / 2 };
      show();
    };
    const zoom = (factor, x = size.wide() / 2, y = size.high() / 2) => {
      const scale = Math.min(4, Math.max(0.1, view.scale * factor));
      view = { scale, x: view.x + x / view.scale - x / scale, y: view.y + y / view.scale - y / scale };
      show();
    };

    // -- choose: what a package needs and what needs it stay, the rest steps back
    const reached = (at, one, other) => {
      const found = new Set([at]), todo = [at];
      while (todo.length) {
        const next = todo.pop();
        for (const each of edges) if (each[one] === next && !found.has(each[other])) { found.add(each[other]); todo.push(each[other]); }
      }
      return found;
    };
    const choose = (at) => {
      const near = at < 0 ? null : new Set([...reached(at, "to", "from"), ...reached(at, "from", "to")]);
      nodes.forEach((each, index) => {
        each.classList.toggle("far", near !== null && !near.has(index));
        if (index === at) each.setAttribute("aria-current", "true"); else each.removeAttribute("aria-current");
      });
      for (const each of edges) for (const part of [each.line, each.tip])
        part.classList.toggle("far", near !== null && !(near.has(each.from) && near.has(each.to)));
      for (const row of place.parentNode.querySelectorAll("tr.chosen")) row.classList.remove("chosen");
      told.replaceChildren();
      if (at < 0) return;
      const row = find(nodes[at].getAttribute("href"));
      row.classList.add("chosen");
      const needs = reached(at, "to", "from").size - 1, users = reached(at, "from", "to").size - 1;
      const state = row.cells[1].textContent.trim(), job = row.querySelector("a");
      told.append(make("b", {}, row.cells[0].textContent), ` ${state} ${row.cells[2].textContent}, needs ${needs}, needed by ${users}, job `,
        make("a", { href: job.getAttribute("href") }, job.textContent), ", ", make("a", { href: nodes[at].getAttribute("href") }, "in the table"));
    };

    // -- move: a box with its edges, or all of it
    const moved = nodes.map(() => ({ x: 0, y: 0 }));
    const boxes = nodes.map((each) => { const { x, y, width, height } = each.querySelector(".box").getBBox(); return { x, y, width, height }; });
    const put = (at) => {
      nodes[at].setAttribute("transform", `translate(${moved[at].x} ${moved[at].y})`);
      for (const each of edges) {
        if (each.from !== at && each.to !== at) continue;
        const one = boxes[each.from], two = boxes[each.to], a = moved[each.from], b = moved[each.to];
        const x = one.x + one.width + a.x, y = one.y + one.height / 2 + a.y;
        const end = two.x + b.x - 6, level = two.y + two.height / 2 + b.y, bend = Math.max(30, Math.abs(end - x) / 2);
        each.line.setAttribute("d", `M${x} ${y}C${x + bend} ${y} ${end - bend} ${level} ${end} ${level}`);
        each.tip.setAttribute("d", `M${end + 6} ${level}l-7 -3.5v7z`);
      }
    };
    let held = null;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const at = nodes.indexOf(event.target.closest("a.node"));
      held = { at, x: event.clientX, y: event.clientY, far: false };
    });
    addEventListener("pointermove", (event) => {
      if (!held) return;
      const x = (event.clientX - held.x) / view.scale, y = (event.clientY - held.y) / view.scale;
      if (!held.far && Math.hypot(x, y) * view.scale < 4) return;
      held = { ...held, far: true, x: event.clientX, y: event.clientY };
      if (held.at < 0) { view = { ...view, x: view.x - x, y: view.y - y }; show(); return; }
      moved[held.at] = { x: moved[held.at].x + x, y: moved[held.at].y + y };
      put(held.at);
    }, { signal });
    let dragged = false;
    const drop = () => { dragged = held?.far ?? false; held = null; };
    addEventListener("pointerup", drop, { signal });
    addEventListener("pointercancel", drop, { signal });
    svg.addEventListener("dragstart", (event) => event.preventDefault()); // a link would be dragged as such
    svg.addEventListener("click", (event) => {
      const at = nodes.indexOf(event.target.closest("a.node"));
      event.preventDefault();
      if (!dragged) choose(nodes[at]?.hasAttribute("aria-current") ? -1 : at);
      dragged = false;
    });
    svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // without a key, the page is scrolled
      event.preventDefault();
      const at = svg.getBoundingClientRect();
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.clientX - at.left, event.clientY - at.top);
    }, { passive: false });
    pane.addEventListener("keydown", (event) => {
      const step = 60 / view.scale, act = {
        "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit, Escape: () => choose(-1),
        ArrowLeft: () => { view.x -= step; show(); }, ArrowRight: () => { view.x += step; show(); },
        ArrowUp: () => { view.y -= step; show(); }, ArrowDown: () => { view.y += step; show(); },
      }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    svg.addEventListener("focusin", (event) => { // a box that is reached by the keyboard comes into sight
      const at = nodes.indexOf(event.target.closest("a.node"));
      if (at < 0 || held) return;
      const box = boxes[at], x = box.x + moved[at].x, y = box.y + moved[at].y, w = size.wide() / view.scale, h = size.high() / view.scale;
      if (x < view.x || y < view.y || x + box.width > view.x + w || y + box.height > view.y + h) {
        view.x = x + box.width / 2 - w / 2;
        view.y = y + box.height / 2 - h / 2;
        show();
      }
    });

    // -- take it away: as it stands, with its colours written into it
    const drawn = () => {
      const copy = svg.cloneNode(true), from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
      from.forEach((each, at) => {
        const style = getComputedStyle(each);
        for (const name of STYLE) to[at].setAttribute(name, style.getPropertyValue(name));
        to[at].removeAttribute("href");
      });
      const box = svg.getBBox(), edge = 20, w = box.width + 2 * edge, h = box.height + 2 * edge;
      copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
      copy.setAttribute("viewBox", `${box.x - edge} ${box.y - edge} ${w} ${h}`);
      copy.setAttribute("width", w);
      copy.setAttribute("height", h);
      const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const values = { x: box.x - edge, y: box.y - edge, width: w, height: h, fill: getComputedStyle(pane).backgroundColor };
      for (const [name, value] of Object.entries(values)) ground.setAttribute(name, value);
      copy.prepend(ground);
      return { w, h, blob: new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }) };
    };
    const save = (blob, ending) => {
      const link = make("a", { href: URL.createObjectURL(blob), download: `${place.dataset.name}.${ending}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };
    const png = () => {
      const { w, h, blob } = drawn(), image = new Image(), source = URL.createObjectURL(blob);
      const scale = Math.min(2, 8000 / Math.max(w, h)); // more than that, a browser's canvas may not hold
      image.onload = () => {
        const canvas = make("canvas", { width: w * scale, height: h * scale });
        canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
        canvas.toBlob((made) => { save(made, "png"); URL.revokeObjectURL(source); }, "image/png");
      };
      image.src = source;
    };

    const button = (text, name, act) => {
      const made = make("button", { type: "button" }, text);
      if (name !== text) made.setAttribute("aria-label", name);
      made.addEventListener("click", act);
      return made;
    };
    const search = make("input", { type: "search", placeholder: "Find a package  (s)", autocomplete: "off" });
    search.setAttribute("aria-label", "Find a package");
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      const at = wanted ? names.findIndex((each) => each.toLowerCase().includes(wanted)) : -1;
      choose(at);
      if (at < 0) { if (wanted) told.textContent = "nothing like that"; return; }
      view.x = boxes[at].x + moved[at].x + boxes[at].width / 2 - size.wide() / view.scale / 2;
      view.y = boxes[at].y + moved[at].y + boxes[at].height / 2 - size.high() / view.scale / 2;
      show();
    });
    place.querySelector(".tools").replaceChildren(search, button("+", "Larger", () => zoom(1.25)), button("−", "Smaller", () => zoom(0.8)),
      button("Fit", "Fit", fit), button("SVG", "Save as SVG", () => save(drawn().blob, "svg")), button("PNG", "Save as PNG", png));
    pane.classList.add("live");
    pane.title = "Drag to move, Ctrl and wheel or + and − to zoom, click to choose";
    addEventListener("resize", fit, { signal });
    fit();
    if (as) {
      names.forEach((name, at) => { if (as.moved.has(name)) { moved[at] = as.moved.get(name); put(at); } });
      choose(names.indexOf(as.chosen));
      view = as.view;
      show();
    }
    brought.push({
      place,
      tree: tree(place),
      leave: () => {
        gone.abort();
        return { view, moved: new Map(names.map((name, at) => [name, moved[at]])), chosen: names[nodes.findIndex((each) => each.hasAttribute("aria-current"))] };
      },
    });
  };
  const tree = (place) => place.parentNode.querySelector("h2").textContent;
  const all = () => {
    // What news have put in place of another picture of the same tree looks as that did.
    const left = new Map();
    for (const each of brought.splice(0)) {
      if (each.place.isConnected) brought.push(each);
      else left.set(each.tree, each.leave());
    }
    for (const place of document.querySelectorAll(".graph")) if (!brought.some((each) => each.place === place)) bring(place, left.get(tree(place)));
  };
  all();
  document.addEventListener("bnet-updated", all);
})();
