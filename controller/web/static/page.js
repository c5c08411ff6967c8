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

class SiteView {
  constructor(site) {
    this.id = site.id;
    this.root = document.getElementById("site-template").content.cloneNode(true).firstElementChild;
    this.field("name").textContent = site.name;
    this.chart = new PowerChart(this.root.querySelector(".chart"));
    document.getElementById("sites").append(this.root);
  }

  field(name) {
    return this.root.querySelector(`[data-field=${name}]`);
  }

  async refresh() {
    const [overview, power, alarms, decisions] = await Promise.all([
      read(`/sites/${this.id}/overview`),
      read(`/sites/${this.id}/power`),
      read(`/sites/${this.id}/alarms`),
      read(`/events?site=${this.id}&kind=decision&limit=${DECISIONS}`),
    ]);
    this.showFigures(overview, alarms);
    this.chart.show(power.points);
    this.showDevices(overview);
    this.showAlarms(alarms);
    this.showDecisions(decisions.items);
  }

  showFigures(overview, alarms) {
    const miners = overview.devices.filter((device) => device.kind === "miner");
    const hashing = miners.filter((device) => device.state === "mining").length;
    this.field("time").textContent = format.clock(overview.time);
    this.field("power").textContent = format.power(overview.power_w);
    this.field("price").textContent = format.price(overview.price_usd_per_mwh);
    this.field("hashrate").textContent = format.hashrate(overview.hashrate_ths);
    this.field("efficiency").textContent =
      format.efficiency(overview.miner_power_w, overview.hashrate_ths) + " J/TH";
    this.field("hashing").textContent = `${hashing} of ${miners.length}`;
    this.field("alarms").textContent = alarms.length;
  }

  showDevices(overview) {
    const rows = overview.devices.map((device) => {
      const row = element("tr");
      const name = element("td", device.name);
      name.append(element("span", device.family, "family"));
      const state = element("td");
      state.append(element("span", device.state, `badge ${TONES[device.state] ?? ""}`));
      const cells = [
        format.power(device.power_w),
        device.kind === "miner" ? format.hashrate(device.hashrate_ths) : "",
        device.kind === "miner" ? format.efficiency(device.power_w, device.hashrate_ths) : "",
        format.age(device.time, overview.time),
      ].map((text) => element("td", text, "number"));
      if (device.power_source) cells[0].title = `from ${device.power_source}`;
      row.append(name, state, ...cells);
      return row;
    });
    this.root.querySelector(".devices tbody").replaceChildren(...rows);
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
      item.append(time(event.time), element("strong", event.data.reason ?? ""));
      item.append(element("p", event.data.summary ?? "", "detail"));
      return item;
    });
    if (!items.length) items.push(element("li", "None yet.", "unknown"));
    this.root.querySelector(".decisions").replaceChildren(...items);
  }
}

class Page {
  constructor() {
    this.views = new Map();
    this.stale = true;
    this.busy = false;
  }

  link(state, text) {
    const shown = document.getElementById("link");
    shown.dataset.state = state;
    shown.textContent = text;
  }

  async refresh() {
    if (this.busy || !this.stale) return;
    this.busy = true;
    this.stale = false;
    try {
      const sites = await read("/sites");
      for (const site of sites.items) {
        if (!this.views.has(site.id)) this.views.set(site.id, new SiteView(site));
      }
      const empty = document.getElementById("empty");
      if (empty && sites.items.length) empty.remove();
      else if (empty) empty.textContent = "No site is configured.";
      await Promise.all([...this.views.values()].map((view) => view.refresh()));
    } catch (error) {
      this.stale = true;
      console.warn(String(error));
    } finally {
      this.busy = false;
    }
  }

  listen() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${API}/stream`);
    socket.addEventListener("open", () => {
      this.stale = true;
      this.link("live", "live");
    });
    socket.addEventListener("message", () => {
      this.stale = true;
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
