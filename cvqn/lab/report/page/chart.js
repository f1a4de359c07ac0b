"use strict";
// A line chart as SVG that fills the width it has. Plotting libraries weigh more than the whole page may (Vega-Lite's
// bundle 0.8 MB, Plotly 4.6 MB), and none lets the keyboard go from point to point.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MARKS = { // paths around 0, 0
  o: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0", s: "M-3.6,-3.6h7.2v7.2h-7.2z", D: "M0,-4.8L4.8,0L0,4.8L-4.8,0z",
  d: "M0,-5L3.2,0L0,5L-3.2,0z", "^": "M0,-4.6L4.6,3.6H-4.6z", v: "M0,4.6L4.6,-3.6H-4.6z", "<": "M-4.8,0L3.6,-4.6V4.6z",
  ">": "M4.8,0L-3.6,-4.6V4.6z", P: "M-1.5,-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
  X: "M-4.4,-2.3L-2.3,-4.4L0,-2.1L2.3,-4.4L4.4,-2.3L2.1,0L4.4,2.3L2.3,4.4L0,2.1L-2.3,4.4L-4.4,2.3L-2.1,0z",
  "*": "M0,-5.2L1.4,-1.7L5,-1.6L2.2,0.8L3.2,4.4L0,2.3L-3.2,4.4L-2.2,0.8L-5,-1.6L-1.4,-1.7z",
  p: "M0,-4.6L4.4,-1.4L2.7,3.7H-2.7L-4.4,-1.4z", h: "M0,-4.6L4,-2.3V2.3L0,4.6L-4,2.3V-2.3z",
  8: "M-1.9,-4.4h3.8l2.5,2.5v3.8l-2.5,2.5h-3.8l-2.5,-2.5v-3.8z", H: "M-2.3,-4h4.6L4.6,0L2.3,4h-4.6L-4.6,0z",
  ".": "M-2,0a2,2 0 1,0 4,0a2,2 0 1,0 -4,0",
};
const DASHES = ["7 3", "2 2", "7 3 2 3", "12 4", "5 2 1 2 1 2", "4 4", "1 4", "12 3 3 3"];
const MOST_LABELS = 12; // beside the ends of curves; of more, only those of measured ones
const NEAR = 26; // pixels within which a point is chosen

function svg(name, attributes, parent, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function html(name, attributes, parent, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

/** Round values that divide low..high into about count steps. */
function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw - 1e-12);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9); value * step <= high + 1e-9; value++) found.push(+(value * step).toPrecision(12));
  return found;
}

class Chart {
  /**
   * @param figure element with a .plot and a .legend
   * @param options curves: [{id, label, kind, colour, marker, hollow, shown, points}]; x, y: name of a point's value;
   *   xLabel, yLabel; describe(curve, point): lines of the tooltip; kinds: {kind: title in the legend};
   *   bold: id of the curve that stands out; directLabels: whether names go beside the curves' ends
   */
  constructor(figure, options) {
    Object.assign(this, options);
    this.plot = figure.querySelector(".plot");
    this.tooltip = html("div", { class: "tooltip", role: "status" }, null);
    this.chosen = null;
    const nth = (curve) => this.curves.filter((one) => one.kind === curve.kind).indexOf(curve);
    this.style = new Map(this.curves.map((curve) => [curve, `--c: ${curve.colour === "#000000" ? "var(--ink)" : curve.colour || "var(--published)"}; --dash: ${DASHES[nth(curve) % DASHES.length]}`]));
    this.fillLegend(figure.querySelector(".legend"));
    new ResizeObserver(() => this.plot.clientWidth !== this.width && this.draw()).observe(this.plot);
    this.draw();
  }

  visible() {
    return this.curves.filter((curve) => curve.shown && curve.points.some((point) => Number.isFinite(point[this.y])));
  }

  ranges() {
    const all = this.visible(), own = all.filter((curve) => curve.kind === "measured");
    const points = (own.length ? own : all).flatMap((curve) => curve.points).filter((point) => Number.isFinite(point[this.y]));
    if (!points.length) return [[0, 1], [0, 1]];
    const pad = (values, share) => {
      const low = Math.min(...values), high = Math.max(...values), margin = (high - low || Math.abs(high) || 1) * share;
      return [low - margin, high + margin];
    };
    const [low, high] = pad(points.map((point) => point[this.x]), 0.06);
    const seen = all.flatMap((curve) => curve.points).filter((point) => Number.isFinite(point[this.y]) && point[this.x] >= low && point[this.x] <= high);
    return [[Math.max(low, 0), high], pad(seen.map((point) => point[this.y]), 0.07)];
  }

  draw() {
    const width = this.width = this.plot.clientWidth, narrow = width < 520;
    const height = Math.round(Math.min(Math.max(width * 0.62, 280), 460));
    const left = 54, right = this.directLabels && !narrow ? 118 : 14, top = 12, bottom = 42;
    const [xs, ys] = this.ranges();
    const X = (value) => left + ((value - xs[0]) / (xs[1] - xs[0])) * (width - left - right);
    const Y = (value) => height - bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (height - top - bottom);
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: "application", "aria-roledescription": "chart", "aria-label": `${this.yLabel} against ${this.xLabel}. Left and right arrow: along a curve; up and down: from curve to curve.` });
    const clip = `clip-${this.y}-${this.x}`;
    svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom }, svg("clipPath", { id: clip }, svg("defs", {}, root)));
    for (const value of ticks(...xs, narrow ? 4 : 7)) {
      svg("line", { class: "grid", x1: X(value), x2: X(value), y1: top, y2: height - bottom }, root);
      svg("text", { class: "tick", x: X(value), y: height - bottom + 16, "text-anchor": "middle" }, root, String(value));
    }
    for (const value of ticks(...ys, 6)) {
      svg("line", { class: "grid", x1: left, x2: width - right, y1: Y(value), y2: Y(value) }, root);
      svg("text", { class: "tick", x: left - 6, y: Y(value) + 4, "text-anchor": "end" }, root, String(value));
    }
    svg("text", { class: "axis-label", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" }, root, this.xLabel);
    svg("text", { class: "axis-label", transform: `translate(14 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, root, this.yLabel);
    const inside = svg("g", { "clip-path": `url(#${clip})` }, root);
    this.places = [];
    const visible = this.visible(), ends = [];
    for (const curve of [...visible].reverse()) {
      const points = curve.points.filter((point) => Number.isFinite(point[this.y]));
      const group = svg("g", { class: `curve ${curve.kind}${curve.id === this.bold ? " bold" : ""}`, style: this.style.get(curve) }, inside);
      svg("path", { class: "line", d: points.map((point, place) => `${place ? "L" : "M"}${X(point[this.x]).toFixed(1)},${Y(point[this.y]).toFixed(1)}`).join("") }, group);
      for (const point of points) {
        const [x, y] = [X(point[this.x]), Y(point[this.y])];
        if (curve.marker) svg("path", { class: `mark${curve.hollow ? " hollow" : ""}`, d: MARKS[curve.marker], transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, group);
        if (x >= left - 1 && x <= width - right + 1 && y >= top - 1 && y <= height - bottom + 1) this.places.push({ curve, point, x, y });
      }
      const last = this.places.filter((one) => one.curve === curve).at(-1);
      if (last) ends.push({ curve, ...last });
    }
    this.places.sort((one, other) => visible.indexOf(one.curve) - visible.indexOf(other.curve));
    const labelled = ends.length > MOST_LABELS ? ends.filter((end) => end.curve.kind === "measured") : ends;
    if (right > 100) this.label(root, labelled, width - right, top, height - bottom);
    this.ring = svg("circle", { class: "chosen", r: 8, visibility: "hidden" }, root);
    root.addEventListener("pointermove", (event) => this.point(event));
    root.addEventListener("pointerdown", (event) => this.point(event));
    root.addEventListener("pointerleave", () => this.choose(null));
    root.addEventListener("blur", () => this.choose(null));
    root.addEventListener("keydown", (event) => this.key(event));
    this.plot.replaceChildren(root, this.tooltip);
    this.choose(null);
  }

  /** Names beside the ends of curves, moved apart where they would cover each other. */
  label(root, ends, x, top, bottom) {
    ends.sort((one, other) => one.y - other.y);
    const gap = 13;
    let y = top;
    const placed = ends.map((end) => ({ ...end, at: (y = Math.max(end.y, y + gap)) }));
    let limit = bottom + gap;
    for (const end of placed.reverse()) limit = end.at = Math.min(end.at, limit - gap);
    for (const end of placed) {
      const group = svg("g", { class: `curve ${end.curve.kind}`, style: this.style.get(end.curve) }, root);
      svg("path", { class: "line", d: `M${end.x},${end.y}L${x + 4},${end.at}`, style: "stroke-width: 0.7; stroke-dasharray: none; opacity: .7" }, group);
      svg("text", { class: `direct ${end.curve.kind}${end.curve.id === this.bold ? " bold" : ""}`, x: x + 7, y: end.at + 4 }, root, end.curve.label);
    }
  }

  point(event) {
    const box = this.plot.querySelector("svg").getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const distance = (one) => Math.hypot(one.x - x, one.y - y);
    const near = this.places.reduce((best, one) => (!best || distance(one) < distance(best) ? one : best), null);
    this.choose(near && distance(near) <= NEAR ? near : null);
  }

  key(event) {
    const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key], across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") return this.choose(null);
    if ((!along && !across) || !this.places.length) return;
    event.preventDefault();
    if (!this.chosen) return this.choose(this.places[0]);
    const curves = [...new Set(this.places.map((one) => one.curve))];
    const own = this.places.filter((one) => one.curve === this.chosen.curve);
    if (along) return this.choose(own[Math.min(Math.max(own.indexOf(this.chosen) + along, 0), own.length - 1)]);
    const next = curves[(curves.indexOf(this.chosen.curve) + across + curves.length) % curves.length];
    const others = this.places.filter((one) => one.curve === next);
    this.choose(others.reduce((best, one) => (Math.abs(one.x - this.chosen.x) < Math.abs(best.x - this.chosen.x) ? one : best)));
  }

  choose(place) {
    if (place === this.chosen && place) return;
    this.chosen = place;
    this.tooltip.replaceChildren();
    this.ring.setAttribute("visibility", place ? "visible" : "hidden");
    if (!place) return;
    this.ring.setAttribute("cx", place.x);
    this.ring.setAttribute("cy", place.y);
    const [title, ...lines] = this.describe(place.curve, place.point);
    html("b", {}, this.tooltip, title);
    for (const line of lines) html("div", {}, this.tooltip, line);
    const { offsetWidth: width, offsetHeight: height } = this.tooltip, room = this.width - width - 4;
    let [x, y] = [place.x + 14, place.y - height / 2];
    if (x > room) x = place.x - width - 14;
    if (x < 4) [x, y] = [Math.min(4, room), place.y > height + 18 ? place.y - height - 14 : place.y + 14]; // no room beside it
    this.tooltip.style.left = `${x}px`;
    this.tooltip.style.top = `${Math.max(y, 4)}px`;
  }

  fillLegend(legend) {
    for (const [kind, title] of Object.entries(this.kinds)) {
      const curves = this.curves.filter((curve) => curve.kind === kind);
      if (!curves.length) continue;
      const group = html("fieldset", {}, legend);
      html("legend", {}, group, title);
      const boxes = curves.map((curve) => {
        const label = html("label", {}, group);
        const box = html("input", { type: "checkbox" }, label);
        box.checked = curve.shown;
        box.addEventListener("change", () => { curve.shown = box.checked; this.draw(); });
        const sample = svg("g", { class: `curve ${kind}`, style: this.style.get(curve) }, svg("svg", { "aria-hidden": "true", viewBox: "0 0 34 14" }, label));
        svg("path", { class: "line", d: "M1,7H33" }, sample);
        if (curve.marker) svg("path", { class: `mark${curve.hollow ? " hollow" : ""}`, d: MARKS[curve.marker], transform: "translate(17 7)" }, sample);
        label.append(curve.label);
        return box;
      });
      for (const [text, shown] of [["all", true], ["none", false]]) {
        const button = html("button", { type: "button", "aria-label": `${title}: show ${text}` }, group, text);
        button.addEventListener("click", () => {
          curves.forEach((curve, place) => { curve.shown = boxes[place].checked = shown; });
          this.draw();
        });
      }
    }
  }
}
