// One site on the page: its figures, chart, alarms, decisions and devices.

import { PowerChart } from "/static/chart.js";
import { entries } from "/static/decisions.js";
import { DeviceTable } from "/static/devices.js";
import { KeyedList, badge, element, time, write } from "/static/elements.js";
import * as format from "/static/format.js";
import { read, readAll } from "/static/rest.js";

const ENTRIES = 10;
const MOST_DECISIONS = 200;
const DECISIONS = 50;
const MOST_ALARMS = 100;

// The parts that are read apart, and the least pause between two readings of each.
export const PARTS = { nodes: 1000, now: 1000, alarms: 1000, decisions: 1000, power: 2000 };
const SHARE_OF_TIME = 4;

export class SiteView {
  constructor(site) {
    this.id = site.id;
    this.root = document.getElementById("site-template").content.cloneNode(true).firstElementChild;
    this.chart = new PowerChart(this.root.querySelector(".chart"));
    this.devices = new DeviceTable(this.root.querySelector(".devices-card"));
    this.alarms = new KeyedList(this.root.querySelector(".alarms"), "None raised.");
    this.decisions = new KeyedList(this.root.querySelector(".decisions"), "None yet.");
    this.nodes = new Map();
    this.stale = new Set(Object.keys(PARTS));
    this.unread = new Set();
    this.notBefore = new Map();
    this.busy = false;
    this.rename(site.name);
  }

  rename(name) {
    write(this.field("name"), name);
    this.root.setAttribute("aria-label", name);
  }

  field(name) {
    return this.root.querySelector(`[data-field=${name}]`);
  }

  concerns(node) {
    return node === null || !this.nodes.size || this.nodes.has(node);
  }

  // Reads again what is stale and due; never twice at a time, and at most a fifth of the time.
  // Whether nothing is left that could not be read: what failed stays stale until it has been.
  async refresh() {
    const now = performance.now();
    const due = [...this.stale].filter((part) => now >= (this.notBefore.get(part) ?? 0));
    if (this.busy || !due.length) return !this.unread.size;
    this.busy = true;
    due.forEach((part) => this.stale.delete(part));
    try {
      if (due.includes("nodes")) await this.readNodes();
      const rest = { now: "readNow", alarms: "readAlarms", decisions: "readDecisions", power: "readPower" };
      await Promise.all(due.filter((part) => rest[part]).map((part) => this[rest[part]]()));
      due.forEach((part) => this.unread.delete(part));
    } catch (error) {
      due.forEach((part) => this.unread.add(part));
      due.forEach((part) => this.stale.add(part));
      throw error;
    } finally {
      const took = performance.now() - now;
      for (const part of due) {
        this.notBefore.set(part, performance.now() + Math.max(PARTS[part], SHARE_OF_TIME * took));
      }
      this.busy = false;
    }
    return !this.unread.size;
  }

  async readNodes() {
    const nodes = await readAll("/nodes", { site: this.id });
    this.nodes = new Map(nodes.map((node) => [node.name, node]));
    const shown = nodes.map((node) => {
      const word = { true: "online", false: "offline" }[node.online] ?? "never heard of";
      const tone = { true: "good", false: "bad" }[node.online] ?? "warn";
      return element("li", { text: `${node.name} ` }, badge(word, tone));
    });
    this.root.querySelector(".nodes").replaceChildren(...shown);
    this.stale.add("now");
  }

  async readNow() {
    const overview = await read(`/sites/${this.id}/overview`);
    const silent = [...this.nodes.values()].filter((node) => node.online === false);
    this.showFigures(overview);
    this.devices.show(overview, new Set(silent.map((node) => node.name)));
  }

  async readPower() {
    write(this.field("span"), this.chart.show(await read(`/sites/${this.id}/power`)));
  }

  async readAlarms() {
    const alarms = await read(`/sites/${this.id}/alarms`);
    write(this.field("alarms"), alarms.length < MOST_ALARMS ? `${alarms.length}` : `${MOST_ALARMS} or more`);
    this.field("alarms").parentElement.classList.toggle("raised", alarms.length > 0);
    this.alarms.show(
      alarms.map((alarm) => [JSON.stringify(alarm), () => alarmItem(alarm)]),
    );
  }

  // On a quiet day most decisions move nothing and become one entry: then older ones are read too.
  async readDecisions() {
    const events = [];
    let cursor = null;
    do {
      const query = new URLSearchParams({ site: this.id, kind: "decision", limit: DECISIONS, ...(cursor ? { cursor } : {}) });
      const page = await read(`/events?${query}`);
      events.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor && events.length < MOST_DECISIONS && entries(events).length <= ENTRIES);
    this.decisions.show(entries(events).slice(0, 2 * ENTRIES));
  }

  showFigures(overview) {
    const miners = overview.devices.filter((device) => device.kind === "miner");
    const inState = (...states) => miners.filter((device) => states.includes(device.state)).length;
    const unclear = inState("unknown", "offline");
    write(this.field("time"), format.clock(overview.time));
    write(this.field("power"), format.power(overview.power_w));
    write(this.field("price"), format.price(overview.price_usd_per_mwh));
    write(this.field("hashrate"), format.hashrate(overview.hashrate_ths));
    write(this.field("efficiency"), format.efficiency(overview.miner_power_w, overview.hashrate_ths));
    write(this.field("hashing"), miners.length ? `${inState("mining")} of ${miners.length}` : format.UNKNOWN);
    write(this.field("unclear"), unclear ? `${unclear} not heard from` : "");
  }
}

function alarmItem(alarm) {
  const tone = alarm.severity === "critical" ? "bad" : "warn";
  const where = element("strong", { text: alarm.device ?? alarm.node });
  const head = element("p", { className: "head" }, time(alarm.raised), " ", badge(alarm.severity, tone), " ", where);
  const text = alarm.text ? `${format.words(alarm.code)}: ${alarm.text}` : format.words(alarm.code);
  return element("li", {}, head, element("p", { text }));
}
