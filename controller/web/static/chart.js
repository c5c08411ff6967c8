// A site's power against the price, on uPlot: kilowatts left, USD/MWh right.

const HEIGHT = 270;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Spikes reach thousands, most hours tens, some are below zero: a scale linear near zero and
// logarithmic beyond shows them all.
const LINEAR = 30;
const squeeze = (value) => Math.asinh(value / LINEAR);
const spread = (value) => Math.sinh(value) * LINEAR;
const MARKS = [-100, -30, 0, 30, 100, 300, 1000, 3000];

function options(width) {
  const axis = (extra) => ({
    stroke: () => colour("--muted"),
    grid: { stroke: () => colour("--line"), width: 1 },
    ticks: { stroke: () => colour("--line"), width: 1 },
    ...extra,
  });
  const clock = (seconds) => {
    const time = new Date(seconds * 1000).toISOString();
    return time.slice(11, 16) === "00:00" ? time.slice(5, 10) : time.slice(11, 16);
  };
  return {
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: { price: { distr: 100, fwd: squeeze, bwd: spread } },
    axes: [
      axis({ values: (_plot, marks) => marks.map(clock) }),
      axis({ scale: "kw", label: "kW", labelSize: 18, size: 58 }),
      axis({
        scale: "price",
        side: 1,
        label: "$/MWh",
        labelSize: 18,
        size: 58,
        grid: { show: false },
        splits: (_plot, _axis, low, high) => MARKS.filter((mark) => mark >= low && mark <= high),
        filter: (_plot, marks) => marks,
        values: (_plot, marks) => marks.map((mark) => mark.toLocaleString("en")),
      }),
    ],
    series: [
      { value: "{YYYY}-{MM}-{DD} {HH}:{mm} UTC" },
      {
        label: "Power",
        scale: "kw",
        stroke: () => colour("--accent"),
        width: 2,
        value: (_plot, value) => (value === null ? "–" : `${value.toFixed(2)} kW`),
      },
      {
        label: "Price",
        scale: "price",
        stroke: () => colour("--price"),
        width: 2,
        paths: uPlot.paths.stepped({ align: 1 }),
        value: (_plot, value) => (value === null ? "–" : `${value.toFixed(2)} $/MWh`),
      },
    ],
  };
}

export class PowerChart {
  constructor(element) {
    this.element = element;
    this.plot = null;
    new ResizeObserver(() => this.resize()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot?.redraw());
  }

  show(points) {
    const number = (value) => (value === null ? null : Number(value));
    const data = [
      points.map((point) => Date.parse(point.time) / 1000),
      points.map((point) => (point.power_w === null ? null : point.power_w / 1000)),
      points.map((point) => number(point.price_usd_per_mwh)),
    ];
    if (this.plot) this.plot.setData(data);
    else this.plot = new uPlot(options(this.element.clientWidth), data, this.element);
  }

  resize() {
    this.plot?.setSize({ width: this.element.clientWidth, height: HEIGHT });
  }
}
