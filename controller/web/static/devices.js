// The table of a site's devices: rows stay, only what differs is written.

import { badge, element, write } from "/static/elements.js";
import * as format from "/static/format.js";

const TONES = { mining: "good", online: "good", offline: "bad", locked: "warn", unknown: "warn" };
const EVERY = "";

const cell = (className) => element("td", { className, role: "cell" });

class DeviceRow {
  constructor(device) {
    this.device = device;
    this.name = element("span", { text: device.name, className: "name" });
    this.about = element("span", { className: "about" });
    this.badge = badge("", "");
    this.watts = element("span");
    this.source = element("span", { className: "source" });
    this.hashrate = cell("number hashrate");
    this.efficiency = cell("number efficiency");
    this.age = cell("number age");
    const name = element("th", { role: "rowheader" }, this.name, this.about);
    name.scope = "row";
    const state = cell("state");
    state.append(this.badge);
    const power = cell("number power");
    power.append(this.watts, this.source);
    this.root = element("tr", { role: "row" });
    this.root.append(name, state, power, this.hashrate, this.efficiency, this.age);
  }

  show(device, now, { several, silent }) {
    this.device = device;
    const isMiner = device.kind === "miner";
    write(this.about, several ? `${device.family} · ${device.node}` : device.family);
    write(this.badge, device.state);
    this.badge.className = `badge ${TONES[device.state] ?? ""}`;
    write(this.watts, format.power(device.power_w));
    const source = device.power_w === null ? null : device.power_source;
    write(this.source, source ?? "");
    write(this.hashrate, isMiner ? format.hashrate(device.hashrate_ths) : "");
    write(this.efficiency, isMiner ? format.efficiency(device.power_w, device.hashrate_ths) : "");
    write(this.age, format.age(device.time, now));
    this.root.classList.toggle("silent", silent);
  }

  filter(state, text) {
    const { name, family, node } = this.device;
    const found = !text || [name, family, node].some((part) => part.toLowerCase().includes(text));
    this.root.hidden = !found || (state !== EVERY && this.device.state !== state);
  }
}

export class DeviceTable {
  constructor(card) {
    this.body = card.querySelector("tbody");
    this.states = card.querySelector(".states");
    this.nothing = card.querySelector(".nothing");
    this.search = card.querySelector("input");
    this.rows = new Map();
    this.buttons = new Map();
    this.state = EVERY;
    this.search.addEventListener("input", () => this.filter());
  }

  // `silent` are the nodes that are not online: their devices are shown as last read.
  show(overview, silent) {
    const several = new Set(overview.devices.map((device) => device.node)).size > 1;
    const shown = new Set();
    overview.devices.forEach((device, place) => {
      const row = this.rows.get(device.id) ?? new DeviceRow(device);
      this.rows.set(device.id, row);
      shown.add(device.id);
      if (this.body.children[place] !== row.root) {
        this.body.insertBefore(row.root, this.body.children[place] ?? null);
      }
      row.show(device, overview.time, { several, silent: silent.has(device.node) });
    });
    for (const [id, row] of this.rows) {
      if (shown.has(id)) continue;
      row.root.remove();
      this.rows.delete(id);
    }
    this.showStates(overview.devices);
    this.filter();
  }

  showStates(devices) {
    const counts = new Map([[EVERY, devices.length]]);
    for (const { state } of devices) counts.set(state, (counts.get(state) ?? 0) + 1);
    if (!counts.has(this.state)) counts.set(this.state, 0);
    for (const [state, button] of this.buttons) {
      if (counts.has(state)) continue;
      button.remove();
      this.buttons.delete(state);
    }
    for (const [state, count] of counts) {
      if (!this.buttons.has(state)) this.addButton(state);
      const button = this.buttons.get(state);
      write(button, `${state === EVERY ? "all" : state} ${count}`);
      button.setAttribute("aria-pressed", String(state === this.state));
    }
  }

  addButton(state) {
    const button = element("button", { className: `chip ${TONES[state] ?? ""}` });
    button.type = "button";
    button.addEventListener("click", () => {
      this.state = state;
      for (const [other, its] of this.buttons) its.setAttribute("aria-pressed", String(other === state));
      this.filter();
    });
    this.buttons.set(state, button);
    this.states.append(button);
  }

  filter() {
    const text = this.search.value.trim().toLowerCase();
    let visible = 0;
    for (const row of this.rows.values()) {
      row.filter(this.state, text);
      visible += row.root.hidden ? 0 : 1;
    }
    this.nothing.hidden = visible > 0;
    write(this.nothing, this.rows.size ? "No device fits the filter." : "No device has been declared yet.");
  }
}
