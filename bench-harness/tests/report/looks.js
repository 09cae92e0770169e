// What is wrong with the looks of the page, each fault as a line. Everything is opened before.
for (const folded of document.querySelectorAll("details")) folded.open = true;
const seen = (selector, within) => [...(within || document).querySelectorAll(selector)].filter((e) => e.getClientRects().length > 0 && e.checkVisibility());
const faults = [];
let texts = 0;
let walked = 0;

// Text of charts over text, over points, and out of its chart.
const over = (a, b) => a.left + 0.5 < b.right && b.left + 0.5 < a.right && a.top + 0.5 < b.bottom && b.top + 0.5 < a.bottom;
for (const chart of seen("svg.chart")) {
  const name = `${chart.getAttribute("aria-label")}, ${innerWidth}`;
  const boxed = (selector) => seen(selector, chart).map((e) => [e.textContent, e.getBoundingClientRect()]);
  const written = boxed("text");
  const edge = chart.getBoundingClientRect();
  written.forEach(([text, box], k) => {
    for (const [other, place] of written.slice(0, k)) if (over(box, place)) faults.push(`${name}: ${text} over ${other}`);
    if (box.left < edge.left - 1 || box.right > edge.right + 1 || box.top < edge.top - 1 || box.bottom > edge.bottom + 1) faults.push(`${name}: ${text} out of the chart`);
  });
  for (const [text, box] of boxed(".labels text"))
    for (const [, point] of boxed(".mark.dot")) if (over(box, point)) faults.push(`${name}: ${text} over a point`);
}

// Contrast as WCAG has it, of all that has text of its own.
const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
const luminance = (colour) => {
  const [r, g, b] = parts(colour).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = (element) => {
  const cell = element.closest(".heat");
  if (cell) return getComputedStyle(cell.querySelector("rect")).fill;
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((parts(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
for (const element of seen("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== "");
  if (!own || element.matches("option, title, script, style")) continue;
  const style = getComputedStyle(element);
  const [ink, ground] = [element.ownerSVGElement ? style.fill : style.color, paper(element)];
  const [dark, light] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
  texts += 1;
  if ((light + 0.05) / (dark + 0.05) < 4.5) faults.push(`${element.textContent.slice(0, 40)}: ${ink} on ${ground}`);
}

// Figures of rows within their box and the window, without scrolling sideways.
const figures = innerWidth > 600 ? ["p50", "p90", "p99", "max", "bytes", "requests"] : ["p50", "p99", "bytes", "requests"];
for (const table of seen("table")) {
  const wanted = table.id === "cells" ? figures : innerWidth > 600 ? [] : ["rechunk", "before", "after", "reads"];
  const keys = [...table.querySelectorAll("th button")].map((button) => button.dataset.key);
  const box = table.closest(".box").getBoundingClientRect();
  for (const row of seen("tbody tr", table)) {
    const why = row.querySelector(".why");
    for (const field of why ? [why] : wanted.map((key) => row.cells[keys.indexOf(key)])) {
      const at = field.getBoundingClientRect();
      const inside = at.width > 0 && at.left >= box.left && at.right <= Math.min(box.right, innerWidth) && field.textContent !== "";
      if (!inside) faults.push(`${row.cells[0].textContent}: ${field.textContent} from ${at.left} to ${at.right} of ${innerWidth}`);
      const named = getComputedStyle(field, "::before").content !== "none";
      if (!why && named !== innerWidth <= 600) faults.push(`${field.textContent}: a name where there are heads, or none where there are not`);
    }
  }
}

// Each chart is one stop, from which arrows go to all of its points, which say what hovering does.
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
function walk(chart) {
  const name = chart.getAttribute("aria-label");
  const marks = seen(".mark", chart);
  const stops = marks.filter((mark) => mark.tabIndex === 0);
  if (chart.getAttribute("role") === "img") faults.push(`${name}: its points are no part of an image`);
  if (stops.length !== 1) return faults.push(`${name}: ${stops.length} stops`);
  stops[0].focus();
  const visited = new Set();
  press("Home");
  while (!visited.has(document.activeElement)) {
    const mark = document.activeElement;
    const [told, style] = [seen("#told")[0], getComputedStyle(mark)];
    const [hover, at] = [mark.querySelector("title").textContent, told ? told.getBoundingClientRect() : {}];
    if (mark.getAttribute("aria-label") !== hover || !told || told.textContent !== hover) faults.push(`${name}: not told: ${hover}`);
    else if (at.left < 0 || at.right > innerWidth || at.top < 0 || at.bottom > innerHeight) faults.push(`${name}: told out of sight: ${hover}`);
    if (style.outlineStyle !== "solid" || parseFloat(style.outlineWidth) < 2) faults.push(`${name}: no ring: ${hover}`);
    visited.add(mark);
    press("ArrowRight");
  }
  if (visited.size !== marks.length) faults.push(`${name}: arrows come to ${visited.size} of ${marks.length} points`);
  if (seen('.mark[tabindex="0"]', chart).length !== 1) faults.push(`${name}: more stops than one after a walk`);
  walked += visited.size;
}
const wanted = new URLSearchParams(location.hash.slice(1));
if (wanted.has("walk")) {
  for (const name of wanted.getAll("press")) seen("nav button").find((button) => button.textContent === name).click();
  for (const chart of seen("svg.chart")) walk(chart);
  // Up and down in a map stay in the column; Enter chooses the layout.
  const map = seen("#heat svg.chart")[0];
  const cell = (key) => {
    press(key);
    return Math.round(document.activeElement.getBoundingClientRect().left);
  };
  seen('.mark[tabindex="0"]', map)[0].focus();
  const from = cell("Home");
  const first = document.activeElement;
  if (cell("ArrowUp") !== from || document.activeElement === first) faults.push("up leaves the column, or goes nowhere");
  if (cell("ArrowDown") !== from || document.activeElement !== first) faults.push("down does not come back");
  press("Enter");
  if (!first.classList.contains("chosen") || !location.hash.includes("layout=")) faults.push("Enter does not choose");
  press("Escape");
  if (seen("#told").length > 0) faults.push("Escape leaves what is told");
}

const found = { faults: [...new Set(faults)], texts, walked, width: innerWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches };
const out = Object.assign(document.createElement("script"), { type: "application/json", id: "probe" });
out.textContent = JSON.stringify(found).replaceAll("<", "\\u003c");
document.body.append(out);
parent.postMessage(out.textContent, "*");
