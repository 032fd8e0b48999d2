"use strict";
// Draws the report from the JSON in #data. Every text goes through textContent: a file name is never read as markup.

const byId = id => document.getElementById(id);

/** An element with attributes (functions become listeners) and children (texts, elements; null is left out). */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value != null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(child => child != null));
  return element;
}
const hidden = text => h("span", { class: "hidden" }, text);
const count = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
const sentences = (...texts) => texts.filter(Boolean).map(t => t[0].toUpperCase() + t.slice(1).replace(/\.?$/, ".")).join(" ");
const nameOf = index => data.images[index]?.trim() || `image ${index + 1}`;

// ---- Numbers ----

/** Decimals that show about four digits of the largest of the values, the same for all of them. */
function decimals(values) {
  const top = values.reduce((most, v) => Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most, 0);
  if (top === 0) return 2;
  const wanted = 3 - Math.floor(Math.log10(top));
  return Math.min(Math.max(wanted, 0), top >= 0.01 ? 4 : 7);
}
function number(value, places) {
  if (value == null) return "–";
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const small = value !== 0 && Math.abs(value) < 0.5 * 10 ** -places;
  return (small ? value.toExponential(1) : value.toFixed(places)).replaceAll("-", "−");
}
/** Those of the values that show the best number, as a set of indices; empty if there is nothing to choose from. */
function best(metric, values) {
  const known = values.filter(v => v != null);
  if (known.length < 2 || !["higher", "lower"].includes(metric.better)) return new Set();
  const shown = v => number(v, metric.places);
  const top = shown(metric.better === "higher" ? Math.max(...known) : Math.min(...known));
  const winners = values.flatMap((v, i) => v != null && shown(v) === top ? [i] : []);
  return new Set(winners.length === known.length ? [] : winners);
}
const withUnit = (metric, name = metric.name) => metric.unit ? `${name} (${metric.unit})` : name;
/** A metric's name where it is of one image. */
const imageName = metric => metric.image_name ?? metric.name;
const imageNameWithUnit = metric => withUnit(metric, imageName(metric));
function quantile(sorted, q) {
  const at = (sorted.length - 1) * q, low = Math.floor(at), high = Math.ceil(at);
  return low === high ? sorted[low] : sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Makes ready what the program wrote: infinities, reasons, decimals; an empty gallery is left out of it. */
function prepare() {
  data.shown ??= [];
  for (const model of data.models) {
    for (const [key, list] of Object.entries(model.per_image ?? {})) model.per_image[key] = list.map(value);
    model.why = new Map();
    for (const { reason, metrics, images } of model.missing ?? []) {
      for (const key of metrics) {
        if (!model.why.has(key)) model.why.set(key, new Map());
        for (const image of images) model.why.get(key).set(image, reason);
      }
    }
  }
  for (const metric of data.metrics) {
    const totals = data.models.map(model => total(model, metric));
    metric.places = decimals(totals.some(Number.isFinite) ? totals : data.models.flatMap(m => m.per_image?.[metric.key] ?? []));
  }
}
/** A number, Infinity, or null for what is missing. JSON has no infinity: it is the text "Infinity". */
const value = v => v == null ? null : Number(v);
const total = (model, metric) => value(model.scores[metric.key]?.value);
/** Why an image has no score. */
const why = (model, metric, index) => model.why.get(metric.key)?.get(index) ?? "not scored";
const each = (model, metric, index) => model.per_image?.[metric.key]?.[index] ?? null;
const perImage = () => data.metrics.filter(m => m.per_image && data.models.some(model => model.per_image?.[m.key]?.length));

// ---- Head ----

function head() {
  document.title = byId("title").textContent = data.title;
  byId("made").textContent = [data.date, `vitok ${data.version}`, data.images.length && count(data.images.length, "image")].filter(Boolean).join(" · ");
  const box = byId("command"), code = box.querySelector("code"), button = box.querySelector("button");
  code.textContent = data.command;
  box.hidden = !data.command;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(data.command);
      button.textContent = "Copied";
    } catch { // Not every browser lets a file from disk write to the clipboard: select the text instead.
      getSelection().selectAllChildren(code);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    }
    setTimeout(() => button.textContent = "Copy", 2000);
  });
}
function links() {
  document.querySelector("nav").append(...[...document.querySelectorAll("main > section:not([hidden])")].map(section =>
    h("a", { href: "#" + section.id }, section.querySelector("h2").textContent)));
}

// ---- Scores ----

let terms = 0;

/** A term whose explanation shows on hover, focus, click and tap, and goes with Escape. */
function term(name, explanation) {
  const id = `tip-${++terms}`;
  const tip = h("span", { class: "tip", role: "tooltip", id, popover: "manual" }, explanation);
  const button = h("button", { type: "button", class: "term", "aria-describedby": id }, name);
  const wrap = h("span", {}, button, tip);
  const show = on => {
    if (on === tip.matches(":popover-open")) return;
    tip.togglePopover(on);
    if (!on) return;
    const box = button.getBoundingClientRect();
    tip.style.left = `${scrollX + Math.max(8, Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${scrollY + box.bottom}px`;
  };
  wrap.addEventListener("pointerenter", event => event.pointerType === "mouse" && show(true));
  wrap.addEventListener("pointerleave", () => document.activeElement !== button && show(false));
  button.addEventListener("focus", () => show(true));
  button.addEventListener("click", () => show(true));
  button.addEventListener("blur", () => show(false));
  document.addEventListener("keydown", event => event.key === "Escape" && show(false));
  document.addEventListener("pointerdown", event => wrap.contains(event.target) || show(false));
  return wrap;
}
/** What stands below a score: why it is missing, how many outputs are identical, what it is of. */
function remark(score, places) {
  if (!score) return null;
  const { missing, copies, note } = score;
  const interval = copies?.low != null && copies.high != null ? ` (${number(copies.low, places)} – ${number(copies.high, places)})` : "";
  const told = copies && (copies.mean == null ? "all identical to their originals"
    : `${copies.count} of ${copies.count + copies.others} identical to their originals; mean of the others: ${number(copies.mean, places)}${interval}`);
  return [missing && `missing: ${missing}`, told, note].filter(Boolean).join("; ") || null;
}
/** The remark that several models have in common: it stands once, under the score's name; others stand in their cells. */
function sharedNote(metric) {
  const notes = new Set(data.models.map(model => remark(model.scores[metric.key], metric.places)));
  return data.models.length > 1 && notes.size === 1 ? [...notes][0] : null;
}
const note = text => text ? h("small", { class: "note" }, text) : null;
const explanation = metric => sentences(metric.about, metric.better && `Better: ${metric.better}`, metric.source && `Source: ${metric.source}`);

function scores() {
  const section = byId("scores");
  section.hidden = !(data.metrics.length && data.models.length);
  const rows = data.metrics.map(metric => {
    const values = data.models.map(model => total(model, metric));
    // A mean that a few exact copies make infinite is not the best of a row.
    const partly = data.models.some(model => model.scores[metric.key]?.copies?.mean != null);
    const winners = partly ? new Set() : best(metric, values);
    const shared = sharedNote(metric);
    const cells = data.models.map((model, i) => {
      const score = model.scores[metric.key] ?? {}, text = number(values[i], metric.places);
      return h("td", { class: winners.has(i) ? "best" : null }, text, winners.has(i) ? hidden(" (best)") : null,
        score.low != null && score.high != null ? h("small", {}, `${number(score.low, metric.places)} – ${number(score.high, metric.places)}`) : null,
        score.error != null ? h("small", {}, `± ${number(score.error, metric.places)}`) : null,
        shared ? null : note(remark(score, metric.places)));
    });
    return h("tr", {}, h("th", { scope: "row" }, term(
      [metric.name, metric.unit ? h("span", { class: "unit" }, metric.unit) : null, arrow(metric)], explanation(metric)), note(shared)), cells);
  });
  const columns = data.models.map(model => h("th", { scope: "col" }, h("bdi", {}, model.name),
    h("small", {}, [model.kind !== "model" && model.kind, count(model.count, "image")].filter(Boolean).join(", "))));
  section.querySelector("table").append(
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, hidden("Score")), columns)), h("tbody", {}, rows));
  const all = data.models.flatMap(model => Object.values(model.scores));
  byId("legend").textContent = [
    "Arrow: the better direction.",
    data.models.length > 1 && "Bold on a tint: the best of its row, as far as the digits tell.",
    all.some(s => s.low != null) && "Below a score: its 95 % bootstrap interval.",
    all.some(s => s.error != null) && "±: what the score's explanation says.",
    all.some(s => value(s.value) === Infinity) && "∞: infinite, for outputs that are identical to their originals.",
    data.models.some(model => data.metrics.some(metric => total(model, metric) == null)) && "–: missing, for the reason given.",
    "Rest the pointer on a score's name, tap it or focus it for what it means.",
  ].filter(Boolean).join(" ");
}
function arrow(metric) {
  const up = { higher: "↑", lower: "↓" }[metric.better];
  return up ? h("span", { class: "arrow" }, h("span", { "aria-hidden": "true" }, up), hidden(`${metric.better} is better`)) : null;
}

// ---- Warnings, protocol ----

/** A list that folds when it is long; beyond 1000 entries only their number is told. */
function folded(title, entries) {
  const list = h("ul", {}, entries.slice(0, 1000).map(entry => h("li", {}, entry)),
    entries.length > 1000 ? h("li", {}, `and ${count(entries.length - 1000, "more", "more")}`) : null);
  return h("details", { open: entries.length <= 3 }, h("summary", {}, title), list);
}
function warnings() {
  const section = byId("warnings"), { warnings = [], skipped = [] } = data;
  section.hidden = warnings.length + skipped.length === 0;
  if (warnings.length) section.append(warnings.length <= 3 ? h("ul", {}, warnings.map(text => h("li", {}, text))) : folded(count(warnings.length, "warning"), warnings));
  if (skipped.length) section.append(folded(`${count(skipped.length, "file")} skipped`, skipped.map(s => [h("code", {}, h("bdi", {}, s.file)), ` ${s.reason}`])));
}
function protocol() {
  const section = byId("protocol"), { protocol: p, networks = [] } = data;
  const hash = text => text ? h("div", {}, "SHA-256 ", h("code", {}, text)) : null;
  section.hidden = false;
  section.append(h("details", {}, h("summary", {}, `${p.name}`, p.reference ? ` · reference: ${p.reference}` : ""),
    h("ul", {}, p.text.map(text => h("li", {}, text))),
    p.reference ? h("dl", {}, h("dt", {}, "Reference"), h("dd", {}, p.reference, p.reference_count != null ? `, ${count(p.reference_count, "image")}` : "", hash(p.reference_hash))) : null));
  if (networks.length) section.append(h("details", {}, h("summary", {}, count(networks.length, "network")),
    h("dl", {}, networks.map(n => [h("dt", {}, n.name), h("dd", {}, n.preprocessing, h("div", {}, h("code", {}, n.file)), hash(n.sha256))]))));
  section.append(h("details", {}, h("summary", {}, "How each score is computed"), h("dl", {}, data.metrics.map(m => [h("dt", {}, withUnit(m)), h("dd", {}, explanation(m))]))));
}

// ---- Histograms ----

const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const look = i => ({ stroke: `var(--m${i % 8})`, "stroke-width": 1.75, "stroke-dasharray": DASHES[i % 4] || null });
const swatch = i => svg("svg", { class: "swatch", viewBox: "0 0 24 12", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 24, y1: 6, y2: 6, ...look(i), "stroke-width": 3 }));

/** The first of 1, 2, 5, 10, 20, … (and of 0.5, 0.2, …) that is not below a number. */
function roundUp(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map(m => m * power).find(s => s >= rough * (1 - 1e-9));
}
/** Round numbers from low to high, about n of them. */
function ticks(low, high, n) {
  const step = roundUp((high - low) / n), places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [], first = Math.ceil(low / step - 1e-9) + 0; // Adding 0 makes 0 of −0, which would be written with its sign.
  for (let i = first; i * step <= high + step * 1e-9; i++) found.push({ at: i * step, text: number(i * step, places) });
  return found;
}
/** Bins with round edges around sorted values, no wider than Freedman and Diaconis's rule has them for n values; 6 or more. */
function binning(sorted, n) {
  let [low, high] = [sorted[0], sorted.at(-1)];
  if (low === high) { const room = Math.abs(low) * 0.01 || 0.5; low -= room; high += room; }
  const range = high - low, rule = 2 * (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / Math.cbrt(n);
  const width = roundUp(Math.min(Math.max(rule, range / 30), range / 6) / 2.5);
  const first = Math.floor(low / width + 1e-9), bins = Math.ceil(high / width - 1e-9) - first;
  const count = values => {
    const found = new Array(bins).fill(0);
    for (const v of values) found[Math.min(Math.max(Math.floor(v / width + 1e-9) - first, 0), bins - 1)]++;
    return found;
  };
  return { count, edge: b => (first + b) * width, low: first * width, high: (first + bins) * width };
}
function spread() {
  const metrics = perImage().filter(m => data.models.some(model => (model.per_image[m.key] ?? []).filter(Number.isFinite).length > 1));
  const section = byId("spread");
  section.hidden = !metrics.length;
  section.querySelector(".legend").append(...data.models.map((model, i) => h("li", {}, swatch(i), h("bdi", {}, model.name))));
  section.querySelector(".charts").append(...metrics.map(histogram));
}
function histogram(metric) {
  const lists = data.models.map(model => model.per_image[metric.key] ?? []);
  const finite = lists.map(list => Float64Array.from(list.filter(Number.isFinite)).sort());
  const pool = Float64Array.from(finite.flatMap(list => [...list])).sort();
  const bins = binning(pool, pool.length / finite.filter(list => list.length).length);
  const facts = data.models.map((model, i) => distribution(model, metric, lists[i], finite[i]));
  return h("figure", {}, h("figcaption", {}, h("strong", {}, imageName(metric))), chart(metric, bins, finite.map(bins.count), facts),
    h("figcaption", {}, h("ul", {}, facts.map((fact, i) => h("li", {}, swatch(i), h("bdi", {}, data.models[i].name), `: ${fact}`)))));
}
/** Median and range of a model's scores, and what the histogram leaves out of them. */
function distribution(model, metric, list, finite) {
  const endless = list.filter(v => v === Infinity).length, none = list.filter(v => v == null).length;
  const reasons = [...new Set(list.flatMap((v, i) => v == null ? [why(model, metric, i)] : []))];
  const told = reasons.slice(0, 3).join("; ") + (reasons.length > 3 ? "; …" : "");
  const at = q => number(quantile(finite, q), metric.places);
  return [finite.length === 0 ? "no finite score" : at(0) === at(1) ? `all at ${at(0)}` : `median ${at(0.5)}, 5–95 % ${at(0.05)} to ${at(0.95)}`,
    endless && `${endless} identical (∞), not drawn`, none && `${none} missing (${told})`].filter(Boolean).join("; ");
}
function chart(metric, { low, high, edge }, counts, facts) {
  const most = Math.max(...counts.flat(), 1);
  const W = 440, H = 210, box = { left: 48, right: W - 18, top: 8, bottom: H - 40 };
  const x = v => box.left + (v - low) / (high - low) * (box.right - box.left);
  const y = n => box.bottom - n / most * (box.bottom - box.top);
  // Empty bins draw nothing, so that the base line does not wear one model's color.
  const outline = found => found.map((n, b) => n === 0 ? "" :
    `${found[b - 1] ? "" : `M${x(edge(b))} ${box.bottom}`}V${y(n)}H${x(edge(b + 1))}${found[b + 1] ? "" : `V${box.bottom}`}`).join("");
  const text = (at, up, content, more) => svg("text", { x: at, y: up, "text-anchor": "middle", ...more }, content);
  const across = t => [svg("line", { class: "axis", x1: box.left, x2: box.right, y1: y(t.at), y2: y(t.at) }),
    text(box.left - 6, y(t.at) + 4, t.at.toLocaleString("en"), { "text-anchor": "end" })];
  const along = t => [svg("line", { class: "axis", x1: x(t.at), x2: x(t.at), y1: box.bottom, y2: box.bottom + 4 }), text(x(t.at), box.bottom + 17, t.text)];
  const places = decimals([low, high]) + 1;
  const hover = b => svg("rect", { class: "bin", x: x(edge(b)), width: x(edge(b + 1)) - x(edge(b)), y: box.top, height: box.bottom - box.top },
    svg("title", {}, [`${+edge(b).toFixed(places)} to ${+edge(b + 1).toFixed(places)}`, ...data.models.map((model, i) => `${model.name}: ${counts[i][b]}`)].join("\n")));
  const summary = facts.map((fact, i) => `${data.models[i].name}: ${fact}`).join(". ");
  return svg("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Histogram of ${imageNameWithUnit(metric)}. ${summary}` },
    ticks(0, most, 4).filter(t => Number.isInteger(t.at)).map(across), ticks(low, high, 6).map(along),
    text((box.left + box.right) / 2, H - 6, `${imageNameWithUnit(metric)}${metric.better ? `, ${metric.better} is better` : ""}`),
    text(0, 0, "images", { transform: `translate(11 ${(box.top + box.bottom) / 2}) rotate(-90)` }),
    counts.map((found, i) => svg("path", { d: outline(found), ...look(i), fill: `var(--m${i % 8})`, "fill-opacity": 0.08 })),
    counts[0].map((_, b) => hover(b)));
}

// ---- The list of all images: sorted, filtered, a page at a time, so that 50,000 stay quick ----

const PAGE = 25;
const list = { metric: null, column: 0, descending: false, page: 0, rows: [], places: new Map() };

/** The number in a column: a model's score, or after the models the distance between the best and the worst of them. */
function cell(index, column) {
  if (column < data.models.length) return each(data.models[column], list.metric, index);
  const values = data.models.map(model => each(model, list.metric, index)).filter(v => v != null);
  const most = Math.max(...values), least = Math.min(...values);
  return values.length < 2 ? null : most === least ? 0 : most - least;
}
function everyImage() {
  const metrics = perImage();
  byId("list").hidden = !metrics.length;
  if (!metrics.length) return;
  byId("list-shown").parentElement.hidden = !data.shown.length;
  data.shown.forEach((shown, i) => list.places.has(shown.index) || list.places.set(shown.index, i));
  byId("list-metric").append(...metrics.map(m => h("option", { value: m.key }, imageNameWithUnit(m))));
  const choose = () => {
    list.metric = metrics.find(m => m.key === byId("list-metric").value);
    list.descending = list.metric.better === "lower"; // The worst come first.
    list.column = 0;
    sort();
  };
  byId("list-metric").addEventListener("change", choose);
  byId("list-filter").addEventListener("input", sort);
  byId("list-shown").addEventListener("change", sort);
  byId("list").addEventListener("click", event => {
    const last = Math.max(0, Math.ceil(list.rows.length / PAGE) - 1);
    const to = { first: 0, previous: list.page - 1, next: list.page + 1, last }[event.target.dataset?.page];
    if (to != null) { list.page = Math.min(Math.max(to, 0), last); page(); }
  });
  choose();
}
function sort() {
  const wanted = byId("list-filter").value.toLowerCase(), only = byId("list-shown").checked;
  const rows = [];
  for (let i = 0; i < data.images.length; i++) {
    if ((!only || list.places.has(i)) && (!wanted || nameOf(i).toLowerCase().includes(wanted))) rows.push(i);
  }
  const sign = list.descending ? -1 : 1;
  if (list.column >= 0) {
    const keys = new Map(rows.map(i => [i, cell(i, list.column)]));
    // Those without a score come last either way; equal ones keep their order.
    rows.sort((a, b) => {
      const p = keys.get(a), q = keys.get(b);
      return p === q ? a - b : p == null ? 1 : q == null ? -1 : sign * (p < q ? -1 : 1);
    });
  } else rows.sort((a, b) => sign * (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : a - b));
  list.rows = rows;
  list.page = 0;
  page();
}
function page() {
  const section = byId("list"), start = list.page * PAGE, rows = list.rows.slice(start, start + PAGE);
  const several = data.models.length > 1, columns = data.models.map(m => m.name).concat(several ? ["Range"] : []);
  const heading = (text, column) => h("th", { scope: "col", "aria-sort": list.column === column ? (list.descending ? "descending" : "ascending") : null },
    h("button", { type: "button", click: () => {
      list.descending = list.column === column ? !list.descending : column >= data.models.length || (column >= 0 && list.metric.better === "lower");
      list.column = column;
      sort();
      section.querySelectorAll("thead button")[column + 1].focus(); // The table is drawn anew: the focus stays.
    } }, h("bdi", {}, text)));
  const body = rows.map(i => {
    const values = columns.map((_, column) => cell(i, column)), winners = best(list.metric, values.slice(0, data.models.length));
    const place = list.places.get(i), title = h("bdi", {}, nameOf(i));
    return h("tr", {}, h("th", { scope: "row" }, place == null ? title : h("a", { href: `#shown-${place}` }, title)),
      values.map((v, column) => h("td", { class: winners.has(column) ? "best" : null }, number(v, list.metric.places),
        v == null && column < data.models.length ? h("small", { class: "note" }, why(data.models[column], list.metric, i)) : null)));
  });
  section.querySelector("table").replaceChildren(h("caption", { class: "hidden" }, `${imageNameWithUnit(list.metric)} of every image`),
    h("thead", {}, h("tr", {}, heading("Image", -1), columns.map(heading))), h("tbody", {}, body));
  const all = list.rows.length, told = n => n.toLocaleString("en");
  byId("list-count").textContent = all === 0 ? "No image matches." : all <= PAGE ? count(all, "image")
    : `${told(start + 1)}–${told(start + rows.length)} of ${told(all)}`;
  for (const button of section.querySelectorAll("[data-page]")) {
    const back = ["first", "previous"].includes(button.dataset.page);
    button.hidden = data.images.length <= PAGE;
    button.disabled = back ? list.page === 0 : start + PAGE >= all;
  }
}

// ---- Gallery ----

const items = [];
const view = { zoom: 0, mode: "lens", lens: 4, difference: false };

function gallery() {
  const section = byId("gallery");
  section.hidden = !data.shown.length;
  if (!data.shown.length) return;
  const near = new IntersectionObserver(entries => entries.forEach(entry => {
    const found = items.find(it => it.element === entry.target);
    found.near = entry.isIntersecting;
    drawMaps(found);
  }), { rootMargin: "600px" });
  data.shown.forEach((shown, i) => {
    items.push(item(shown, i));
    section.querySelector(".items").append(items[i].element);
    near.observe(items[i].element);
  });
  const control = (id, act) => { byId(id).addEventListener("input", act); act(); };
  control("zoom", () => { view.zoom = +byId("zoom").value; sizes(); });
  control("mode", () => {
    view.mode = byId("mode").value;
    byId("lens-label").hidden = view.mode !== "lens";
    byId("swipe-label").hidden = view.mode !== "swipe";
    section.classList.toggle("swiping", view.mode === "swipe");
    items.forEach(it => { it.point = null; showFrame(it, it.at); });
  });
  control("lens", () => { view.lens = +byId("lens").value; items.forEach(drawLenses); });
  control("swipe", () => section.style.setProperty("--swipe", `${byId("swipe").value}%`));
  control("difference", () => {
    view.difference = byId("difference").checked;
    byId("gain-label").hidden = !view.difference;
    items.forEach(drawMaps);
  });
  control("gain", () => {
    const gain = 2 ** byId("gain").value;
    byId("gain").setAttribute("aria-valuetext", `times ${gain}`);
    byId("gain-label").querySelector("output").textContent = gain;
    section.style.setProperty("--gain", gain);
  });
  addEventListener("resize", sizes);
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach(d => d.open = true);
    items.forEach(it => { it.near = true; drawMaps(it); });
  });
  addEventListener("hashchange", arrive);
  arrive();
}
/** Gives the focus to the item that the address names. */
function arrive() {
  const it = items.find(it => location.hash === `#${it.element.id}`);
  it?.element.scrollIntoView();
  it?.figures.focus({ preventScroll: true });
}

/** Sizes in whole pixels of the screen for one of the image, also on screens with 1.25 or 1.5 of them to a CSS pixel. */
function sizes() {
  for (const it of items) {
    const room = it.element.clientWidth, { width, height } = it.shown, gap = 16;
    const least = isStrip(it.shown) ? room : 300; // Strips stand one below the other.
    const columns = Math.min(Math.max(Math.floor((room + gap) / (least + gap)), 1), it.images.length);
    const wanted = (room + gap) / columns - gap;
    const fit = Math.min(wanted / width, Math.max(innerHeight * 0.8 / height, 1), 16);
    const zoom = view.zoom || (fit >= 1 ? Math.floor(fit) : fit), dots = zoom * devicePixelRatio;
    it.scale = zoom < 1 ? zoom : Math.max(Math.floor(dots + 1e-3), 1) / devicePixelRatio;
    it.element.classList.toggle("crisp", zoom >= 1);
    it.element.classList.toggle("scrolls", it.scale * width > room + 1);
    it.element.style.setProperty("--w", `${it.scale * width}px`);
    it.element.style.setProperty("--h", `${it.scale * height}px`);
    it.size.textContent = [`${width} × ${height}`, zoom < 1 ? `shown at ${Math.round(zoom * 100)} %` : zoom > 1 ? `shown × ${zoom}` : null,
      it.frames > 1 ? `${it.frames} frames at ${+rate(it).toFixed(2)} a second` : null].filter(Boolean).join(", ");
    drawLenses(it);
  }
}

const isStrip = ({ width, height }) => width > 3 * height;
const rate = it => it.shown.fps || 10;

/** Only images that the file itself holds. */
const images = (sources, alt) => (sources ?? []).filter(s => s.startsWith("data:image/"))
  .map(src => h("img", { src, alt, decoding: "sync", draggable: "false" }));

const titleOf = m => m < 0 ? "Original" : data.models[m].name;

/** One image or clip: the original and every output, moved, magnified and played together. */
function item(shown, i) {
  const it = { shown, near: false, at: 0, point: null, scale: 1, images: [], size: h("span") };
  const title = nameOf(shown.index);
  it.figures = h("div", { class: "figures", role: "group", tabindex: 0, "aria-label": `${title}: original and outputs. The arrow keys move the magnifier or the swipe.` },
    [-1, ...data.models.keys()].map(m => figure(it, m)));
  it.frames = Math.max(...it.images.map(p => p.frames.length), 1);
  it.element = h("article", { class: isStrip(shown) ? "item strip" : "item", id: `shown-${i}`, "aria-labelledby": `shown-${i}-title` },
    h("h3", { id: `shown-${i}-title` }, h("bdi", {}, title)), h("p", { class: "quiet" }, shown.why ? `${shown.why} · ` : "", it.size),
    it.figures, it.frames > 1 ? player(it) : null);
  listen(it);
  showFrame(it, 0);
  return it;
}
/** A place where a lens can stand: the frames (or the map), and the lens over them; source tells which of them is seen. */
function place(frames, source) {
  const lens = h("canvas", { class: "lens", hidden: true, "aria-hidden": "true" });
  return { frames, source, lens, element: h("div", { class: "image" }, frames, lens) };
}
/** The original (m is −1) or the output of model m. */
function figure(it, m) {
  const { shown } = it, title = nameOf(shown.index);
  const frames = images(m < 0 ? shown.original : shown.outputs[m], `${titleOf(m)}: ${title}`);
  const image = { ...place(frames, () => frames[Math.min(it.at, frames.length - 1)]), over: [] };
  it.images.push(image);
  if (!frames.length) { image.element.classList.add("missing"); image.element.textContent = "no image"; }
  if (m >= 0 && frames.length) {
    const canvas = h("canvas", { class: "map", role: "img", "aria-label": `Difference between the original and ${titleOf(m)}: ${title}` });
    image.map = { ...place([canvas], () => canvas), canvas };
    image.map.stage = h("div", { class: "stage difference", hidden: true }, image.map.element);
  }
  // The name stands below, so that a long one does not push its image out of line with the others.
  return h("figure", {}, h("div", { class: "stage" }, image.element), image.map?.stage,
    h("figcaption", {}, m >= 0 && data.models.length > 1 ? swatch(m) : null, h("bdi", {}, titleOf(m)), m < 0 ? null : facts(shown.index, m)));
}
function showFrame(it, at) {
  it.at = at;
  if (view.mode === "swipe") coverOutputs(it);
  for (const { frames, over } of it.images) {
    for (const stack of [frames, over]) stack.forEach((img, f) => img.hidden = f !== Math.min(at, stack.length - 1));
  }
  drawMaps(it);
}
/** Lays the original over every output, for the swipe to uncover; only once there is a swipe, since it takes memory. */
function coverOutputs(it) {
  for (const image of it.images.slice(1)) {
    if (image.over.length || !image.frames.length) continue;
    image.over = images(it.shown.original, "").map(img => (img.className = "over", img));
    image.element.append(...image.over, h("div", { class: "line" }));
  }
}
/** Draws |output - original|. The canvas composes it itself: reading pixels back is noisy in browsers that hide fingerprints. */
function drawMaps(it) {
  const original = it.images[0].source();
  for (const { map, source } of it.images) {
    if (!map) continue;
    map.stage.hidden = !view.difference;
    const wanted = view.difference && it.near && original?.naturalWidth && source().naturalWidth;
    map.canvas.width = wanted ? it.shown.width : 0; // Far from view a map takes no memory.
    map.canvas.height = wanted ? it.shown.height : 0;
    if (!wanted) continue;
    const paint = map.canvas.getContext("2d");
    paint.drawImage(original, 0, 0);
    paint.globalCompositeOperation = "difference";
    paint.drawImage(source(), 0, 0);
  }
  drawLenses(it);
}
function drawLenses(it) {
  for (const place of it.images.flatMap(p => [p, p.map]).filter(p => p?.frames.length)) {
    const source = place.source();
    place.lens.hidden = view.mode !== "lens" || !it.point || !(source.naturalWidth ?? source.width);
    if (!place.lens.hidden) drawLens(it, place.lens, source);
  }
}
/** The lens stays within its image, and the pixel under the pointer stays under it. All in pixels of the screen. */
function drawLens(it, lens, source) {
  const dots = devicePixelRatio, size = [it.shown.width, it.shown.height].map(n => n * it.scale * dots);
  const side = Math.round(Math.min(Math.max(Math.min(...size) * 0.6, 96 * dots), 200 * dots));
  const zoom = Math.max(Math.round(view.lens * it.scale * dots), 1);
  const at = size.map((n, axis) => it.point[axis] * n);
  const corner = size.map((n, axis) => Math.round(Math.max(Math.min(at[axis] - side / 2, n - side), 0)));
  lens.width = lens.height = side;
  lens.style.width = lens.style.height = `${side / dots}px`;
  lens.style.left = `${corner[0] / dots}px`;
  lens.style.top = `${corner[1] / dots}px`;
  const paint = lens.getContext("2d"), { width, height } = it.shown;
  paint.imageSmoothingEnabled = false;
  paint.drawImage(source, Math.round(at[0] - corner[0] - it.point[0] * width * zoom), Math.round(at[1] - corner[1] - it.point[1] * height * zoom), width * zoom, height * zoom);
}
/** Moves the lens or the swipe to a place in the image, from 0 to 1 each way; null takes the lens away. */
function pointAt(it, point) {
  it.point = point?.map(t => Math.min(Math.max(t, 0), 1)) ?? null;
  if (point && view.mode === "swipe") {
    byId("swipe").value = it.point[0] * 100;
    byId("swipe").dispatchEvent(new Event("input"));
  }
  drawLenses(it);
}
function listen(it) {
  const { figures, shown } = it;
  const point = event => {
    const box = event.target.closest?.(".image:not(.missing)")?.getBoundingClientRect();
    if (box) pointAt(it, [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
    else if (event.pointerType === "mouse" || event.type === "pointerdown") pointAt(it, null);
  };
  figures.addEventListener("pointermove", point);
  figures.addEventListener("pointerdown", point);
  figures.addEventListener("pointerleave", event => event.pointerType === "mouse" && pointAt(it, null));
  figures.addEventListener("blur", () => pointAt(it, null));
  figures.addEventListener("keydown", event => {
    const step = event.shiftKey ? 0.1 : Math.max(1 / shown.width, 0.01);
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (event.key === "Escape") pointAt(it, null);
    if (!by || event.target !== figures || view.mode === "off") return;
    event.preventDefault();
    const from = it.point ?? [view.mode === "swipe" ? byId("swipe").value / 100 : 0.5, 0.5];
    pointAt(it, from.map((t, axis) => t + by[axis]));
  });
  figures.addEventListener("load", () => drawMaps(it), { capture: true }); // An image came in: "load" does not bubble.
}
/** One image's scores for one model. */
function facts(index, m) {
  const rows = perImage().map(metric => {
    const values = data.models.map(model => each(model, metric, index));
    const text = values[m] == null ? `missing: ${why(data.models[m], metric, index)}` : number(values[m], metric.places) + (metric.unit ? ` ${metric.unit}` : "");
    return best(metric, values).has(m) ? [h("dt", {}, imageName(metric)), h("dd", { class: "best" }, text, hidden(" (best)"))]
      : [h("dt", {}, imageName(metric)), h("dd", {}, text)];
  });
  return h("dl", { class: "facts" }, rows);
}
/** Play, pause and scrub: all the clips of an item show the same frame. */
function player(it) {
  let began = null, from = 0;
  const slider = h("input", { type: "range", min: 0, max: it.frames - 1, value: 0, "aria-label": "Frame" });
  const label = h("output"), button = h("button", { type: "button" });
  const show = at => {
    slider.value = at;
    label.textContent = `frame ${at + 1} of ${it.frames}`;
    slider.setAttribute("aria-valuetext", label.textContent);
    if (at !== it.at) showFrame(it, at);
  };
  const play = on => {
    began = on ? performance.now() : null;
    from = it.at;
    button.textContent = on ? "Pause" : "Play";
    if (on) requestAnimationFrame(tick);
  };
  const tick = now => {
    if (began == null) return;
    show((from + Math.max(0, Math.floor((now - began) / 1000 * rate(it)))) % it.frames);
    requestAnimationFrame(tick);
  };
  button.addEventListener("click", () => play(began == null));
  slider.addEventListener("input", () => { play(false); show(+slider.value); });
  play(false);
  show(0);
  return h("div", { class: "controls", role: "group", "aria-label": "Clip" }, button, slider, label);
}

// ---- All of it ----

let data;
try {
  data = JSON.parse(byId("data").textContent);
  for (const draw of [prepare, head, scores, warnings, protocol, spread, everyImage, gallery, links]) draw();
} catch (error) {
  byId("broken").hidden = false;
  byId("broken").textContent = `This report cannot be drawn: ${error.message}`;
  throw error;
}
