// The live page: reads the REST interface, and reads again what the stream says has changed.

import { API, readAll } from "/static/rest.js";
import { showSecurity } from "/static/security-strip.js";
import { prepareMenu, whoIs } from "/static/session.js";
import { PARTS, SiteView } from "/static/site.js";

const TICK_MS = 500;
const ANYWAY_MS = 15_000;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

// What a change of each kind makes stale at the sites of its node.
const STALE = {
  telemetry: ["now"],
  node: ["nodes", "now"],
  rollup: ["power"],
  alarm: ["alarms"],
};

// An event that is told without its data (of very many at a time) may be a decision.
const isDecision = (change) => change.kind === "event" && (change.data?.kind ?? "decision") === "decision";

class Page {
  constructor() {
    this.views = new Map();
    this.sitesStale = true;
    this.securityStale = true;
    this.busy = false;
    this.connected = false;
    this.failing = false;
    this.failures = 0;
    this.lastGood = null;
    this.readAnyway = 0;
  }

  start() {
    this.listen();
    this.tick();
    setInterval(() => this.tick(), TICK_MS);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.everythingStale();
      this.tick();
    });
  }

  everythingStale() {
    this.sitesStale = true;
    for (const view of this.views.values()) Object.keys(PARTS).forEach((part) => view.stale.add(part));
  }

  // Silence tells nothing: readings age, sessions end and sockets die without a word. So the
  // cheap parts are read every now and then anyway.
  async tick() {
    if (this.busy || document.hidden) return;
    this.busy = true;
    if (performance.now() >= this.readAnyway) {
      this.readAnyway = performance.now() + ANYWAY_MS;
      this.sitesStale = true;
      this.securityStale = true;
      for (const view of this.views.values()) ["nodes", "now", "alarms"].forEach((part) => view.stale.add(part));
    }
    try {
      if (this.sitesStale) await this.readSites();
      if (this.securityStale) {
        await showSecurity(await whoIs());
        this.securityStale = false;
      }
      const read = await Promise.all([...this.views.values()].map((view) => view.refresh()));
      this.failing = read.includes(false);
    } catch (error) {
      this.failing = true;
      console.info(String(error));
    } finally {
      this.busy = false;
      this.showLink();
    }
  }

  async readSites() {
    const sites = await readAll("/sites");
    this.sitesStale = false;
    const main = document.getElementById("sites");
    for (const site of sites) {
      if (!this.views.has(site.id)) {
        this.views.set(site.id, new SiteView(site));
        main.append(this.views.get(site.id).root);
      }
      this.views.get(site.id).rename(site.name);
    }
    const empty = document.getElementById("empty");
    empty.hidden = sites.length > 0;
    if (!sites.length) empty.textContent = "No site is configured yet.";
  }

  listen() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${API}/stream`);
    socket.addEventListener("open", () => {
      this.connected = true;
      this.failures = 0;
      this.everythingStale();
      this.tick();
    });
    socket.addEventListener("message", (message) => {
      JSON.parse(message.data).changes.forEach((change) => this.take(change));
    });
    socket.addEventListener("close", () => {
      this.connected = false;
      this.readAnyway = 0;
      this.failures += 1;
      this.showLink();
      setTimeout(() => this.listen(), Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** (this.failures - 1)));
    });
  }

  take(change) {
    if (change.kind === "site") this.sitesStale = true;
    if (change.kind === "security") this.securityStale = true;
    const parts = isDecision(change) ? ["decisions"] : (STALE[change.kind] ?? []);
    for (const view of this.views.values()) {
      if (view.concerns(change.node)) parts.forEach((part) => view.stale.add(part));
    }
  }

  showLink() {
    const good = this.connected && !this.failing;
    const first = this.lastGood === null && !this.failing && !this.failures;
    if (good) this.lastGood = new Date();
    const state = good ? "live" : first ? "connecting" : "lost";
    const link = document.getElementById("link");
    if (link.dataset.state === state) return;
    link.dataset.state = state;
    link.textContent = state;
    const notice = document.getElementById("notice");
    notice.hidden = state !== "lost";
    const since = this.lastGood?.toLocaleTimeString("en-GB");
    notice.textContent = since
      ? `No connection to the controller since ${since} on this device's clock. Shown is what was last read; trying again.`
      : "The controller does not answer; trying again.";
  }
}

prepareMenu().catch((error) => console.info(String(error)));
new Page().start();
