// Decisions in plain words: what one rests on, the price against break-even, who moves and why.

import { element, time } from "/static/elements.js";
import * as format from "/static/format.js";

const FEW = 4;

const BASES = {
  forecast: "Forecast prices",
  known_price_and_forecast: "Known price and forecast",
  last_known_price: "Last known price, no forecast",
  safe_mode_stale_price: "Safe mode: prices are stale",
  safe_mode_no_price: "Safe mode: no price is known",
};

const REASONS = {
  lowered: "its last watts cost more than they earn",
  kept_through_dip: "stopping would cost more than the dip",
  start_not_worth_it: "not profitable for long enough to restart",
  min_on_time: "minimum time on",
  min_off_time: "minimum time off",
  ramp_up_limit: "held back by the ramp limit",
  ramp_down_limit: "held back by the ramp limit",
  must_run: "must run",
  site_cap: "site's power cap",
  did_not_follow_last_write: "did not follow the last write",
  state_unknown: "its state is unknown",
  efficiency_unknown: "its efficiency is unknown",
  safe_mode_stop: "safe mode stops",
  safe_mode_run: "safe mode runs",
  safe_mode_hold: "safe mode holds",
};

const basis = (data) => BASES[data.reason] ?? format.words(data.reason);
const reason = (code) => REASONS[code] ?? format.words(code);
const list = (value) => (Array.isArray(value) ? value : []);

// What moves, by where to and why: {to, reason, devices, breakeven, compared}.
function moves(data) {
  const groups = new Map();
  for (const move of list(data.assignments)) {
    const key = JSON.stringify([move.setpoint, move.reason]);
    const group = groups.get(key) ?? { to: format.setpoint(move.setpoint), reason: move.reason, all: [] };
    group.all.push(move);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => ({
    to: group.to,
    reason: reason(group.reason),
    devices: group.all.map((move) => String(move.device)),
    breakeven: format.priceRange(group.all.map((move) => move.breakeven_usd_per_mwh)),
    compared: format.priceRange(group.all.map((move) => move.threshold_usd_per_mwh)),
  }));
}

function moveItem(move) {
  const limits = [move.breakeven && `break-even ${move.breakeven}`];
  if (move.compared !== move.breakeven) limits.push(move.compared && `with restart costs ${move.compared}`);
  const tail = limits.filter(Boolean).join(", ");
  const text = `${move.devices.length} to ${move.to}: ${move.reason}${tail && ` (${tail})`}`;
  if (move.devices.length <= FEW) {
    const item = element("li", { text });
    item.append(element("span", { text: move.devices.join(", "), className: "names" }));
    return item;
  }
  const names = element("p", { text: move.devices.join(", "), className: "names" });
  return element("li", {}, element("details", {}, element("summary", { text }), names));
}

function keptItems(data) {
  return Object.entries(data.kept ?? {}).map(([code, count]) =>
    element("li", { text: `${count} stay: ${reason(code)}`, className: "kept" }),
  );
}

function powerText(data) {
  const { power_before_w: before, power_after_w: after } = data;
  if (typeof before !== "number" || typeof after !== "number") return "";
  return before === after ? format.power(after) : `${format.power(before)} → ${format.power(after)}`;
}

const isQuiet = (event) => !list(event.data.assignments).length && !event.data.parts;

// Decisions that follow one another, rest on the same and move nothing become one entry.
export function entries(events) {
  const found = [];
  for (const event of events) {
    const last = found.at(-1);
    const same = last && last[0].data.reason === event.data.reason && last[0].node === event.node;
    if (same && isQuiet(event) && isQuiet(last[0])) last.push(event);
    else found.push([event]);
  }
  return found.map((run) => [run.map((event) => event.id).join(" "), () => entry(run)]);
}

function entry(run) {
  const [newest, oldest] = [run[0], run.at(-1)];
  const data = newest.data;
  const title = element("strong", { text: basis(data) });
  const head = element("p", { className: "head" }, time(oldest.time));
  if (run.length > 1) head.append("–", time(newest.time, format.minute(newest.time)));
  head.append(" ", title);
  if (data.parts) head.append(` (part ${data.part} of ${data.parts})`);
  const change = isQuiet(newest) ? (run.length > 1 ? `${run.length} times no change` : "no change") : "";
  const prices = format.priceRange(run.map((event) => event.data.price_usd_per_mwh));
  const facts = [prices && `price ${prices}`, change, powerText(data)].filter(Boolean);
  // A decision that does not tell its figures tells itself in its own words.
  const line = prices || powerText(data) ? facts.join(" · ") : String(data.summary ?? "");
  const all = element("ul", { className: "moves" });
  all.append(...moves(data).map(moveItem), ...keptItems(data));
  const tone = newest.severity === "info" ? "" : "alert";
  const made = element("li", { className: `${isQuiet(newest) ? "quiet" : "moved"} ${tone}` }, head);
  if (line) made.append(element("p", { text: line, className: "facts" }));
  if (data.detail) made.append(element("p", { text: String(data.detail), className: "detail" }));
  if (all.children.length) made.append(all);
  return made;
}
