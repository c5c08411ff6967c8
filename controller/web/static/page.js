// The live page: reads the REST interface, and reads again what the stream says has changed.

import { PowerChart } from "/static/chart.js";
import * as format from "/static/format.js";

const API = "/api/v1";
const REFRESH_MS = 1000;
const RETRY_MS = 2000;
const DECISIONS = 12;

async function read(path) {
  const answer = await fetch(API + path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) location.assign("/sign-in");
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function time(at) {
  const made = element("time", format.hour(at));
  made.dateTime = at;
  return made;
}

const TONES = { mining: "good", online: "good", curtailed: "", stopped: "", offline: "bad", locked: "warn", unknown: "warn" };

function write(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

class DeviceRow {
  constructor(device) {
    this.root = element("tr");
    const name = element("th", device.name);
    name.scope = "row";
    name.append(element("span", device.family, "family"));
    this.badge = element("span", "", "badge");
    const state = element("td");
    state.append(this.badge);
    this.cells = ["power", "hashrate", "efficiency", "age"].map(() => element("td", "", "number"));
    this.root.append(name, state, ...this.cells);
  }

  show(device, now) {
    const [power, hashrate, efficiency, age] = this.cells;
    const isMiner = device.kind === "miner";
    write(this.badge, device.state);
    this.badge.className = `badge ${TONES[device.state] ?? ""}`;
    write(power, format.power(device.power_w));
    power.title = device.power_source ? `from ${device.power_source}` : "";
    write(hashrate, isMiner ? format.hashrate(device.hashrate_ths) : "");
    write(efficiency, isMiner ? format.efficiency(device.power_w, device.hashrate_ths) : "");
    write(age, format.age(device.time, now));
  }
}

// How many miners a decision moves, by where to and why: "6 stop: unprofitable".
function moves(data) {
  const counts = new Map();
  for (const { setpoint, reason } of data.assignments ?? []) {
    const key = `${format.setpoint(setpoint)}: ${format.words(reason)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => `${count} to ${key}`);
}

class SiteView {
  constructor(site) {
    this.id = site.id;
    this.root = document.getElementById("site-template").content.cloneNode(true).firstElementChild;
    this.field("name").textContent = site.name;
    this.chart = new PowerChart(this.root.querySelector(".chart"));
    this.rows = new Map();
    document.getElementById("sites").append(this.root);
  }

  field(name) {
    return this.root.querySelector(`[data-field=${name}]`);
  }

  // Reads what `wanted` names again: "now", "power", "told".
  async refresh(wanted) {
    const work = [];
    if (wanted.has("now")) work.push(this.refreshNow());
    if (wanted.has("power")) work.push(this.refreshPower());
    if (wanted.has("told")) work.push(this.refreshTold());
    await Promise.all(work);
  }

  async refreshNow() {
    const overview = await read(`/sites/${this.id}/overview`);
    this.showFigures(overview);
    this.showDevices(overview);
  }

  async refreshPower() {
    this.chart.show((await read(`/sites/${this.id}/power`)).points);
  }

  async refreshTold() {
    const [alarms, decisions] = await Promise.all([
      read(`/sites/${this.id}/alarms`),
      read(`/events?site=${this.id}&kind=decision&limit=${DECISIONS}`),
    ]);
    this.field("alarms").textContent = alarms.length;
    this.showAlarms(alarms);
    this.showDecisions(decisions.items);
  }

  showFigures(overview) {
    const miners = overview.devices.filter((device) => device.kind === "miner");
    const hashing = miners.filter((device) => device.state === "mining").length;
    this.field("time").textContent = format.clock(overview.time);
    this.field("power").textContent = format.power(overview.power_w);
    this.field("price").textContent = format.price(overview.price_usd_per_mwh);
    this.field("hashrate").textContent = format.hashrate(overview.hashrate_ths);
    this.field("efficiency").textContent =
      format.efficiency(overview.miner_power_w, overview.hashrate_ths) + " J/TH";
    this.field("hashing").textContent = `${hashing} of ${miners.length}`;
  }

  // Rows stay; only the text that differs is written, so that a thousand devices cost little.
  showDevices(overview) {
    const body = this.root.querySelector(".devices tbody");
    const shown = new Set();
    overview.devices.forEach((device, place) => {
      const key = `${device.node}/${device.name}`;
      shown.add(key);
      let row = this.rows.get(key);
      if (!row) {
        row = new DeviceRow(device);
        this.rows.set(key, row);
      }
      if (body.children[place] !== row.root) body.insertBefore(row.root, body.children[place] ?? null);
      row.show(device, overview.time);
    });
    for (const [key, row] of this.rows) {
      if (shown.has(key)) continue;
      row.root.remove();
      this.rows.delete(key);
    }
  }

  showAlarms(alarms) {
    const items = alarms.map((alarm) => {
      const item = element("li");
      const tone = alarm.severity === "critical" ? "bad" : "warn";
      item.append(time(alarm.raised), element("span", alarm.device ?? alarm.node, `badge ${tone}`));
      item.append(` ${alarm.text}`);
      return item;
    });
    if (!items.length) items.push(element("li", "None raised.", "unknown"));
    this.root.querySelector(".alarms").replaceChildren(...items);
  }

  showDecisions(events) {
    const items = events.map((event) => {
      const item = element("li");
      item.append(time(event.time), element("strong", format.words(event.data.reason)));
      const list = element("ul", undefined, "moves");
      list.append(...moves(event.data).map((line) => element("li", line)));
      item.append(element("p", event.data.summary ?? "", "detail"), list);
      return item;
    });
    if (!items.length) items.push(element("li", "None yet.", "unknown"));
    this.root.querySelector(".decisions").replaceChildren(...items);
  }
}

// What a change of each kind makes stale.
const STALE = {
  telemetry: ["now"],
  node: ["now"],
  rollup: ["power"],
  event: ["told"],
  alarm: ["told"],
};
const EVERYTHING = ["now", "power", "told"];

class Page {
  constructor() {
    this.views = new Map();
    this.stale = new Set(EVERYTHING);
    this.busy = false;
  }

  link(state, text) {
    const shown = document.getElementById("link");
    shown.dataset.state = state;
    shown.textContent = text;
  }

  async refresh() {
    if (this.busy || !this.stale.size || document.hidden) return;
    this.busy = true;
    const wanted = this.stale;
    this.stale = new Set();
    try {
      if (wanted.has("now")) await this.refreshSites();
      await Promise.all([...this.views.values()].map((view) => view.refresh(wanted)));
    } catch (error) {
      wanted.forEach((part) => this.stale.add(part));
      this.link("lost", "the controller does not answer, trying again");
    } finally {
      this.busy = false;
    }
  }

  async refreshSites() {
    const sites = await read("/sites");
    for (const site of sites.items) {
      if (!this.views.has(site.id)) this.views.set(site.id, new SiteView(site));
    }
    const empty = document.getElementById("empty");
    if (empty && sites.items.length) empty.remove();
    else if (empty) empty.textContent = "No site is configured.";
  }

  listen() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${API}/stream`);
    socket.addEventListener("open", () => {
      this.stale = new Set(EVERYTHING);
      this.link("live", "live");
    });
    socket.addEventListener("message", (message) => {
      for (const { kind } of JSON.parse(message.data).changes) {
        (STALE[kind] ?? []).forEach((part) => this.stale.add(part));
      }
    });
    socket.addEventListener("close", () => {
      this.link("lost", "connection lost, trying again");
      setTimeout(() => this.listen(), RETRY_MS);
    });
  }

  start() {
    this.listen();
    this.refresh();
    setInterval(() => this.refresh(), REFRESH_MS);
  }
}

new Page().start();
