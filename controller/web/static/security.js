// Security events, newest first: read, and marked as seen with a note.

import { badge, element, time } from "/static/elements.js";
import { words } from "/static/format.js";
import { API, read } from "/static/rest.js";
import { attempt, onSubmit, prepareMenu, send } from "/static/session.js";

const PAGE = 50;
const TONES = { critical: "bad", warning: "warn", info: "idle" };
const byId = (id) => document.getElementById(id);
let mayChange = false;
let shown = "open";
let cursor = null;

function plain(value) {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function details(event) {
  const rows = Object.entries(event.detail).flatMap(([name, value]) => [
    element("dt", { text: words(name) }), element("dd", { text: plain(value) }),
  ]);
  return element("dl", {}, ...rows);
}

function acknowledging(event) {
  const note = element("input");
  note.name = "note";
  note.required = true;
  note.maxLength = 500;
  note.placeholder = "What it was";
  note.setAttribute("aria-label", `Note on ${words(event.kind)} of ${event.subject}`);
  const form = element("form", {}, note, element("button", { text: "Acknowledge", className: "quiet" }));
  onSubmit(form, async (given) => {
    await send("POST", `/security/events/${event.id}/acknowledge`, { note: given.get("note") });
    await show();
  });
  return form;
}

function card(event) {
  const head = element("div", { className: "head" },
    badge(event.severity, TONES[event.severity]),
    element("strong", { text: event.subject }),
    element("span", { text: words(event.kind), className: "hint" }));
  if (event.occurrences > 1) head.append(element("span", { text: `${event.occurrences} times`, className: "hint" }));
  head.append(time(event.last));
  const item = element("li", { className: "card" }, head, element("p", { text: event.text }), details(event));
  if (event.acknowledged) {
    item.append(element("p", { text: `Acknowledged by ${event.acknowledged_by}: ${event.note}`, className: "hint" }));
  } else if (mayChange) {
    item.append(acknowledging(event));
  }
  return item;
}

async function next() {
  const asked = new URLSearchParams({ limit: PAGE });
  if (shown === "open") asked.set("acknowledged", "false");
  if (cursor) asked.set("cursor", cursor);
  const page = await read(`/security/events?${asked}`);
  cursor = page.next_cursor;
  byId("more").hidden = cursor === null;
  return page.items.map(card);
}

function isWriting() {
  return [...document.querySelectorAll("#events input")].some((input) => input.value);
}

async function show(unasked = false) {
  const before = cursor;
  cursor = null;
  const cards = await next();
  if (unasked && isWriting()) { // begun while the news was on its way
    cursor = before;
    byId("more").hidden = cursor === null;
    return;
  }
  const none = element("li", { text: shown === "open" ? "Nothing is open." : "Nothing was noticed.", className: "hint" });
  byId("events").replaceChildren(...(cards.length ? cards : [none]));
}

for (const button of document.querySelectorAll("[data-shown]")) {
  button.addEventListener("click", () => attempt(async () => {
    shown = button.dataset.shown;
    for (const one of document.querySelectorAll("[data-shown]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
    await show();
  }));
}
byId("more").addEventListener("click", () => attempt(async () => byId("events").append(...await next())));

// What somebody is writing is not taken away: news is shown when no note has been begun.
function listen(afterMs = 1_000) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}${API}/stream`);
  let next_ = afterMs;
  socket.addEventListener("open", () => { next_ = 1_000; });
  socket.addEventListener("message", (message) => {
    const told = JSON.parse(message.data).changes.some((change) => change.kind === "security");
    if (told && !isWriting() && !document.hidden) attempt(() => show(true));
  });
  socket.addEventListener("close", () => setTimeout(() => listen(Math.min(30_000, next_ * 2)), next_));
}

attempt(async () => {
  const who = await prepareMenu();
  mayChange = "security.change" in who.permissions;
  await show();
  listen();
});
