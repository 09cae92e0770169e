"use strict";
// Points of charts by keyboard: Tab comes to a chart, arrows go from point to point, Enter chooses as a click does. Beside the one that has the
// focus stands what hovering says.
(() => {
  const all = (selector, within) => [...within.querySelectorAll(selector)];
  const charts = all("svg.chart", document).filter((chart) => chart.querySelector(".mark"));
  const shown = (mark) => all(".mark:not([hidden])", mark.ownerSVGElement);
  const middle = (mark) => {
    const at = mark.getBoundingClientRect();
    return [at.left + at.width / 2, at.top + at.height / 2];
  };

  // Screen readers read it with the point.
  const told = Object.assign(document.createElement("div"), { id: "told", hidden: true, ariaHidden: "true" });
  document.body.append(told);

  for (const chart of charts) {
    // What is within an image cannot be reached.
    chart.setAttribute("role", "group");
    for (const mark of all(".mark", chart)) {
      mark.setAttribute("role", mark.dataset.layout === undefined ? "img" : "button");
      mark.setAttribute("aria-label", mark.querySelector("title").textContent);
      mark.setAttribute("tabindex", "-1");
    }
  }

  // One stop a chart: the point that had the focus last, or the first that is shown.
  function stops() {
    for (const chart of charts) {
      const was = chart.querySelector('.mark[tabindex="0"]');
      if (was && !was.hasAttribute("hidden")) continue;
      const first = chart.querySelector(".mark:not([hidden])");
      if (was) was.setAttribute("tabindex", "-1");
      if (first) first.setAttribute("tabindex", "0");
    }
  }

  function tell(mark) {
    told.textContent = mark.getAttribute("aria-label");
    Object.assign(told.style, { left: 0, top: 0 });
    told.hidden = false;
    const [at, own] = [mark.getBoundingClientRect(), told.getBoundingClientRect()];
    const left = Math.min(at.left + at.width / 2 - own.width / 2, document.documentElement.clientWidth - own.width - 8);
    const below = at.bottom + 10 + own.height < innerHeight;
    const top = below ? at.bottom + 10 : at.top - own.height - 10;
    Object.assign(told.style, { left: `${Math.max(left, 8) + scrollX}px`, top: `${top + scrollY}px` });
  }

  // The nearest one above or below, rather in the same column than in the next row.
  function upright(mark, down) {
    const [x, y] = middle(mark);
    const away = (other) => {
      const [dx, dy] = [middle(other)[0] - x, (middle(other)[1] - y) * down];
      return dy > 3 ? dy + 3 * Math.abs(dx) : Infinity;
    };
    const near = shown(mark).map((other) => [away(other), other]).filter(([far]) => far < Infinity);
    return near.length === 0 ? mark : near.reduce((a, b) => (b[0] < a[0] ? b : a))[1];
  }

  const along = (mark, by) => shown(mark)[shown(mark).indexOf(mark) + by] || mark;
  const ways = {
    ArrowRight: (mark) => along(mark, 1),
    ArrowLeft: (mark) => along(mark, -1),
    ArrowDown: (mark) => upright(mark, 1),
    ArrowUp: (mark) => upright(mark, -1),
    Home: (mark) => shown(mark)[0],
    End: (mark) => shown(mark).at(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") told.hidden = true;
    const mark = event.target.closest(".mark");
    if (!mark || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" || event.key === " ") mark.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    else if (ways[event.key]) ways[event.key](mark).focus();
    else return;
    event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    const mark = event.target.closest(".mark");
    told.hidden = !mark;
    if (!mark) return;
    for (const other of all('.mark[tabindex="0"]', mark.ownerSVGElement)) other.setAttribute("tabindex", "-1");
    mark.setAttribute("tabindex", "0");
    tell(mark);
  });
  document.addEventListener("focusout", () => (told.hidden = true));
  document.addEventListener("shown", stops);
})();
