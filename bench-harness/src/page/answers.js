"use strict";
// The three layouts that take least for the mix that is set, in the reader and the state of the cache that are chosen:
// #mix=epoch:1&mix=object:4&by=zarr-python&in=warm&of=DATASET
(() => {
  const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
  const names = parsed("names");
  const places = parsed("answers-data");
  const read = () => new URLSearchParams(location.hash.slice(1));
  const make = (tag, text, properties) => Object.assign(document.createElement(tag), { textContent: text }, properties);
  const best = document.getElementById("best");
  const form = document.getElementById("mix");
  const BEST = 3;
  // What most people read with, where it was measured.
  const READER = "zarr-python";

  // A number and its unit stand on one line.
  const time = (ms) => (ms >= 1000 ? `${(ms / 1000).toPrecision(3)}\u00a0s` : ms >= 1 ? `${Number(ms.toPrecision(3))}\u00a0ms` : `${Number((ms * 1000).toPrecision(3))}\u00a0µs`);
  const size = (bytes) => {
    const unit = bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "kB"] : [1, "B"];
    return `${Number((bytes / unit[0]).toPrecision(3))}\u00a0${unit[1]}`;
  };
  const count = (n) => n.toLocaleString("en");

  // What the address says, with what is measured where it says nothing.
  function chosen() {
    const address = read();
    const of = places.find((place) => names.dataset[place.dataset] === address.get("of")) || places[0];
    const known = (column, facet, asked, usual) => {
      const ids = [...new Set(of.cells.map((cell) => cell[column]))];
      const id = [asked, usual].map((name) => names[facet].indexOf(name)).find((id) => ids.includes(id));
      return { ids, id: id === undefined ? ids[0] : id };
    };
    const by = known(2, "backend", address.get("by"), READER);
    const cache = known(3, "cache", address.get("in"), "cold");
    const workloads = known(1, "workload").ids;
    const given = Object.fromEntries(address.getAll("mix").map((pair) => [pair.slice(0, pair.lastIndexOf(":")), Number(pair.slice(pair.lastIndexOf(":") + 1))]));
    const weights = new Map(workloads.map((id) => {
      const weight = given[names.workload[id]];
      const usual = address.has("mix") ? 0 : 1;
      return [id, Number.isFinite(weight) && weight >= 0 ? weight : usual];
    }));
    return { of, by, cache, weights };
  }

  // Layouts of which everything that has a weight was measured, the best first.
  function ranked({ of, by, cache, weights }) {
    const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
    const sums = of.layouts.map(() => ({ ms: 0, bytes: 0, weight: 0, each: [] }));
    for (const [layout, workload, backend, state, ms, bytes] of of.cells) {
      const weight = weights.get(workload);
      if (backend !== by.id || state !== cache.id || !(weight > 0)) continue;
      const sum = sums[layout];
      sum.ms += (weight / total) * ms;
      sum.bytes += (weight / total) * bytes;
      sum.weight += weight;
      sum.each.push(`${names.workload[workload]} ${time(ms)}`);
    }
    const complete = sums.map((sum, k) => ({ ...sum, layout: of.layouts[k] })).filter((sum) => sum.weight > 0 && Math.abs(sum.weight - total) < 1e-9 * total);
    return complete.sort((a, b) => a.ms - b.ms);
  }

  // The plane of objects (down) and epochs (across), with the first chunk and, around it, its shard.
  function picture(of, layout) {
    const space = document.getElementById("plane").namespaceURI;
    const draw = (tag, attributes) => {
      const element = document.createElementNS(space, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      return element;
    };
    const [objects, epochs] = of.axes;
    const [W, H] = [96, 96];
    const svg = draw("svg", { viewBox: `-1 -1 ${W + 2} ${H + 2}`, class: "plane", role: "img", "aria-label": `a chunk has ${layout.chunk[objects]} objects and ${layout.chunk[epochs]} epochs` });
    const box = (shape, className) => {
      const [h, w] = [objects, epochs].map((axis, k) => Math.max(1.5, ([H, W][k] * Math.min(shape[axis], of.shape[axis])) / of.shape[axis]));
      return draw("rect", { x: 0, y: 0, width: w, height: h, class: className });
    };
    svg.append(draw("rect", { x: 0, y: 0, width: W, height: H, class: "all" }));
    if (layout.shard) svg.append(box(layout.shard, "shard"));
    svg.append(box(layout.chunk, "chunk"));
    return svg;
  }

  function card(of, { layout, ms, bytes, each }, first) {
    const card = make("article", "", { className: "card" });
    const text = make("div", "");
    const shape = layout.chunk.join(" × ") + (layout.shard ? ` in shards of ${layout.shard.join(" × ")}` : "");
    text.append(make("h3", `${time(ms)} a read`), make("p", `chunks of ${shape}, ${layout.codecs}`));
    const more = ms > first.ms ? `${(ms / first.ms).toFixed(2)} times the first; ` : "";
    text.append(make("p", `${more}${each.join(", ")}; ${size(bytes)} fetched a read; ${size(layout.bytes)} stored in ${count(layout.files)} file${layout.files === 1 ? "" : "s"}`));
    // A line ends between words, not after the signs of an option.
    const command = make("code", "");
    layout.command.split(" ").forEach((word, k) => command.append(k > 0 ? " " : "", make("span", word)));
    text.append(command);
    card.append(picture(of, layout), text);
    return card;
  }

  function show() {
    const now = chosen();
    const found = ranked(now);
    best.replaceChildren(...found.slice(0, BEST).map((one) => card(now.of, one, found[0])));
    if (found.length === 0) best.append(make("p", "Give one of the reads a share; and choose a reader and a state of the cache that were measured together."));
    return now;
  }

  function set(change) {
    const address = read();
    change(address);
    history.replaceState(null, "", "#" + address);
    show();
  }

  function choice(label, facet, key, { ids, id }) {
    const select = make("select", "");
    for (const one of ids) select.append(make("option", names[facet][one], { value: names[facet][one], selected: one === id }));
    select.onchange = () => { set((address) => address.set(key, select.value)); if (key === "of") build(); };
    const field = make("label", `${label} `);
    field.append(select);
    return field;
  }

  function build() {
    const now = show();
    const sliders = [...now.weights].map(([id, weight]) => {
      const name = names.workload[id];
      const slider = make("input", "", { type: "range", min: 0, max: 10, step: 0.5, value: weight });
      const told = make("output", String(weight));
      slider.oninput = () => {
        told.textContent = slider.value;
        set((address) => {
          address.delete("mix");
          for (const other of form.querySelectorAll("input")) address.append("mix", `${other.name}:${other.value}`);
        });
      };
      slider.name = name;
      const field = make("label", `${name} `);
      field.append(slider, told);
      return field;
    });
    const datasets = { ids: places.map((place) => place.dataset), id: now.of.dataset };
    const choices = [choice("read by", "backend", "by", now.by), choice("cache", "cache", "in", now.cache)];
    if (places.length > 1) choices.unshift(choice("of", "dataset", "of", datasets));
    form.replaceChildren(...sliders, ...choices);
  }

  build();
  window.addEventListener("hashchange", build);
})();
