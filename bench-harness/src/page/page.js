"use strict";
// Shows and hides what is drawn, and sorts tables. What is chosen stands in the address, so that it can be sent to others:
// #backend=std&backend=mmap&cache=warm&layout=by-epoch&sort=-p50
(() => {
  const names = JSON.parse(document.getElementById("names").textContent);
  const facets = Object.keys(names).filter((facet) => facet !== "layout");
  const all = (selector, within) => [...(within || document).querySelectorAll(selector)];
  const filters = document.getElementById("filters");

  const read = () => new URLSearchParams(location.hash.slice(1));
  const go = (address) => {
    history.replaceState(null, "", "#" + address);
    show();
  };

  // Numbers of the names that are chosen; those that nobody knows are passed over, and none chosen means all.
  const chosen = (address, facet) =>
    new Set(address.getAll(facet).map((name) => names[facet].indexOf(name)).filter((id) => id >= 0).map(String));

  const matches = (element, choice) =>
    Object.entries(choice).every(([facet, ids]) => {
      const own = element.dataset[facet];
      return own === undefined || ids.size === 0 || own.split(" ").some((id) => ids.has(id));
    });

  const marked = all(facets.map((facet) => `svg [data-${facet}], tr[data-${facet}]`).join(","));

  function show() {
    const address = read();
    const choice = Object.fromEntries(facets.map((facet) => [facet, chosen(address, facet)]));
    const layout = [...chosen(address, "layout")][0];
    for (const element of marked) element.toggleAttribute("hidden", !matches(element, choice));
    for (const figure of all("figure")) {
      const of = figure.dataset.ofLayout;
      const wanted = of === undefined || (layout === undefined ? of === "first" : figure.dataset.layout === layout);
      figure.hidden = !wanted || !matches(figure, choice) || !figure.querySelector(".mark:not([hidden])");
    }
    for (const section of all("section")) {
      const something = section.querySelector("figure:not([hidden]), tbody tr:not([hidden])");
      const none = section.querySelector(":scope > .none:last-child, :scope > details > .none:last-child");
      if (none) none.hidden = something !== null;
      for (const box of all(".box", section)) box.hidden = something === null;
    }
    const is = (ids) => layout !== undefined && ids.split(" ").includes(layout);
    for (const mark of all(".mark[data-layout]")) mark.classList.toggle("chosen", is(mark.dataset.layout));
    for (const row of all("tr[data-row]")) row.classList.toggle("chosen", is(row.dataset.row));
    for (const table of all("table")) sort(table, address.get(table.dataset.sort));
    controls(address, choice, layout);
    document.dispatchEvent(new Event("shown"));
  }

  // By a column, numbers as numbers, the other way round with a minus before its key; what has no figure stays behind.
  function sort(table, order) {
    const heads = all("th", table);
    const key = (order || "").replace(/^-/, "");
    const at = heads.findIndex((head) => head.firstElementChild.dataset.key === key);
    const down = (order || "").startsWith("-");
    for (const head of heads) head.removeAttribute("aria-sort");
    if (at < 0) return;
    heads[at].setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => {
      const field = row.cells[at];
      if (field.textContent === "" || field.classList.contains("why")) return null;
      return field.dataset.v === undefined ? field.textContent : Number(field.dataset.v);
    };
    const compare = (a, b) => {
      if (a === null || b === null) return (a === null) - (b === null);
      if (typeof a !== typeof b) return typeof a === "string" ? 1 : -1;
      const less = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
      return down ? -less : less;
    };
    const rows = all("tbody tr", table).map((row) => [value(row), row]);
    rows.sort((a, b) => compare(a[0], b[0]));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  const make = (tag, text, properties) => Object.assign(document.createElement(tag), { textContent: text }, properties);

  function toggle(facet, name) {
    const address = read();
    const others = address.getAll(facet).filter((other) => other !== name);
    const was = address.getAll(facet).includes(name);
    address.delete(facet);
    for (const other of was ? others : [...others, name]) address.append(facet, other);
    go(address);
  }

  function choose(name) {
    const address = read();
    if (name === "") address.delete("layout");
    else address.set("layout", name);
    // What was chosen is shown there.
    document.querySelector("#latency details").open = true;
    go(address);
  }

  const buttons = [];
  const select = make("select", "");

  function build() {
    const box = make("details", "");
    box.append(make("summary", "Filters"));
    box.open = window.innerWidth > 600;
    const rows = make("div", "", { className: "facets" });
    for (const facet of facets.filter((facet) => names[facet].length > 1)) {
      const field = make("fieldset", "");
      field.append(make("legend", facet));
      names[facet].forEach((name, id) => {
        const button = make("button", name, { type: "button", onclick: () => toggle(facet, name) });
        buttons.push({ button, facet, id: String(id) });
        field.append(button);
      });
      rows.append(field);
    }
    box.append(rows);
    filters.append(box);
    select.append(make("option", "the fastest overall", { value: "" }));
    for (const name of names.layout) select.append(make("option", name, { value: name }));
    select.onchange = () => choose(select.value);
    const label = make("label", "Layout ");
    label.append(select);
    document.getElementById("layouts").append(label);
    for (const mark of all(".mark[data-layout]")) {
      mark.addEventListener("click", () => choose(names.layout[Number(mark.dataset.layout.split(" ")[0])]));
    }
    for (const button of all("th button")) button.addEventListener("click", () => order(button));
    for (const head of all("th")) {
      const at = head.cellIndex;
      const first = all("tbody tr", head.closest("table")).find((row) => !row.querySelector(".why"));
      head.classList.toggle("n", first !== undefined && first.cells[at].dataset.v !== undefined);
    }
  }

  function order(button) {
    const address = read();
    const parameter = button.closest("table").dataset.sort;
    const key = button.dataset.key;
    address.set(parameter, address.get(parameter) === key ? "-" + key : key);
    go(address);
  }

  function controls(address, choice, layout) {
    for (const { button, facet, id } of buttons) button.setAttribute("aria-pressed", String(choice[facet].has(id)));
    select.value = layout === undefined ? "" : names.layout[Number(layout)];
    const count = facets.filter((facet) => choice[facet].size > 0).length;
    filters.querySelector("summary").textContent = count > 0 ? `Filters (${count} active)` : "Filters";
  }

  build();
  show();
  // What the address speaks of is open.
  const sorted = { sort: "all", "sort-payback": "cost", layout: "latency" };
  for (const [key, id] of Object.entries(sorted)) if (read().has(key)) document.querySelector(`#${id} details`).open = true;
  window.addEventListener("hashchange", show);
})();
