// A site's power against the price, on uPlot: kilowatts left, USD/MWh right.

import * as format from "/static/format.js";

const HEIGHT = 270;
const NARROW = 520;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Spikes reach thousands, most hours tens, some are below zero: a scale linear near zero and
// logarithmic beyond shows them all.
const LINEAR = 30;
const squeeze = (value) => Math.asinh(value / LINEAR);
const spread = (value) => Math.sinh(value) * LINEAR;

// In the order in which they are given room.
const MARKS = [0, 100, 1000, -100, 10_000, -1000, 30, -30, 300, 3000, -300, 50, 10, 20, 500, 5000, 200, 2000, 70, 150, 700];
const MARK_ROOM = 20;

function priceMarks(plot, low, high) {
  const span = squeeze(high) - squeeze(low);
  const height = plot.bbox.height / devicePixelRatio;
  const place = (value) => ((squeeze(value) - squeeze(low)) / span) * height;
  const chosen = [];
  for (const mark of MARKS) {
    const fits = mark >= low && mark <= high;
    if (fits && chosen.every((other) => Math.abs(place(other) - place(mark)) >= MARK_ROOM)) chosen.push(mark);
  }
  return chosen.sort((a, b) => a - b);
}

function priceRange(low, high) {
  if (low === null) return [0, 100];
  const [from, to] = [squeeze(Math.min(0, low)), squeeze(Math.max(30, high))];
  return [spread(low < 0 ? from - 0.1 : from), spread(to + (to - from) * 0.04)];
}

// Power is measured from zero, so that half the height is half the power.
const powerRange = (_plot, low, high) => (low === null ? [0, 1] : [Math.min(0, low), Math.max(1, high) * 1.08]);

const clock = (seconds) => {
  const time = new Date(seconds * 1000).toISOString();
  return time.slice(11, 16) === "00:00" ? time.slice(5, 10) : time.slice(11, 16);
};

function axes(width) {
  const narrow = width < NARROW;
  const axis = (extra) => ({
    stroke: () => colour("--muted"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { stroke: () => colour("--line"), width: 1, size: narrow ? 4 : 8 },
    font: "12px system-ui, sans-serif",
    labelFont: "600 12px system-ui, sans-serif",
    labelSize: 18,
    ...extra,
  });
  return [
    axis({ values: (_plot, marks) => marks.map(clock), size: 34 }),
    axis({ scale: "kw", label: "kW", size: narrow ? 38 : 56 }),
    axis({
      scale: "price",
      side: 1,
      label: "$/MWh",
      size: narrow ? 44 : 58,
      grid: { show: false },
      splits: (plot, _axis, low, high) => priceMarks(plot, low, high),
      filter: (_plot, marks) => marks,
      values: (_plot, marks) => marks.map((mark) => mark.toLocaleString("en")),
    }),
  ];
}

function options(width) {
  return {
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: {
      kw: { range: powerRange },
      price: { distr: 100, fwd: squeeze, bwd: spread, range: (_plot, low, high) => priceRange(low, high) },
    },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    legend: { markers: { width: 2 } },
    axes: axes(width),
    // Without a pointer the legend tells the newest values.
    hooks: { setCursor: [(plot) => plot.cursor.idx === null && plot.setLegend({ idx: plot.data[0].length - 1 })] },
    series: [
      { label: "At", value: (_plot, seconds) => (seconds === null ? "–" : format.clock(seconds * 1000)) },
      {
        label: "Power",
        scale: "kw",
        stroke: () => colour("--accent"),
        width: 2,
        value: (_plot, value) => format.power(value === null ? null : value * 1000),
      },
      {
        label: "Price",
        scale: "price",
        stroke: () => colour("--price"),
        width: 2,
        dash: [6, 3],
        paths: uPlot.paths.stepped({ align: 1 }),
        value: (_plot, value) => format.price(value),
      },
    ],
  };
}

const USUAL_GAPS = 5;
const LEAST_GAP = 3;

// Where a site was silent for much longer than it usually is, nothing is drawn: what was not
// measured is not known. `points` are in order; the answer has a point without values in each gap.
export function withGaps(points, width_ms) {
  const times = points.map((point) => Date.parse(point.time));
  const steps = times.slice(1).map((time, index) => time - times[index]);
  const usual = steps.toSorted((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const most = Math.max(LEAST_GAP * width_ms, USUAL_GAPS * usual);
  return points.flatMap((point, index) => {
    if (!index || steps[index - 1] <= most) return [point];
    const between = new Date(times[index - 1] + width_ms).toISOString();
    return [{ time: between, power_w: null, price_usd_per_mwh: null }, point];
  });
}

const extremes = (values) => [Math.min(...values), Math.max(...values)];

// The chart in words, for those who cannot see it and for those who want its figures.
export function described(points) {
  if (!points.length) return "Nothing has been measured in this time.";
  const known = (values) => values.filter((value) => value !== null);
  const parts = [];
  const watts = known(points.map((point) => point.power_w));
  if (watts.length) parts.push(`power ${extremes(watts).map(format.power).join(" to ")}`);
  const prices = known(points.map((point) => point.price_usd_per_mwh));
  if (prices.length) {
    const high = prices.reduce((a, b) => (Number(b) > Number(a) ? b : a));
    const at = points.find((point) => point.price_usd_per_mwh === high).time;
    parts.push(`price ${format.priceRange(prices)}, highest at ${format.hour(at)}`);
  }
  return `${format.hour(points[0].time)} to ${format.hour(points.at(-1).time)} UTC: ${parts.join("; ")}`;
}

export class PowerChart {
  constructor(element) {
    this.element = element;
    this.plot = null;
    this.width = 0;
    this.data = null;
    new ResizeObserver(() => this.resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot?.redraw());
  }

  // Draws the answer of `/power`; returns it in words.
  show({ points, width_ms }) {
    const shown = withGaps(points, width_ms);
    this.data = [
      shown.map((point) => Date.parse(point.time) / 1000),
      shown.map((point) => (point.power_w === null ? null : point.power_w / 1000)),
      shown.map((point) => (point.price_usd_per_mwh === null ? null : Number(point.price_usd_per_mwh))),
    ];
    if (!this.plot) this.draw();
    else this.plot.setData(this.data);
    this.tellNewest();
    return described(points);
  }

  draw() {
    this.plot?.destroy();
    this.width = this.element.clientWidth;
    this.plot = new uPlot(options(this.width), this.data, this.element);
    const canvas = this.plot.ctx.canvas;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Site power and electricity price over time; the line above tells their range");
  }

  tellNewest() {
    if (this.plot.cursor.idx == null && this.data[0].length) this.plot.setLegend({ idx: this.data[0].length - 1 });
  }

  resize() {
    const width = this.element.clientWidth;
    if (!this.plot || !width || width === this.width) return;
    // The axes' sizes belong to the width's class.
    if (width < NARROW !== this.width < NARROW) this.draw();
    else this.plot.setSize({ width, height: HEIGHT });
    this.width = width;
    this.tellNewest();
  }
}
