// What waits for approval: shown whole, answered with a passkey, or on another machine.

import { badge, element } from "/static/elements.js";
import * as format from "/static/format.js";
import { isPossible, makePasskey, usePasskey } from "/static/passkey.js";
import { read } from "/static/rest.js";
import { attempt, onSubmit, prepareMenu, send } from "/static/session.js";

const EVERY_MS = 5000;
const SHOWN = 50;
const TONES = { pending: "warn", approved: "good", used: "good", refused: "bad", expired: "bad" };
const byId = (id) => document.getElementById(id);

let who = null;
let keys = [];
let busy = 0;
let told = "";

const isUsable = (key) => key.own && key.kind === "passkey" && key.confirmed && !key.revoked;
const grouped = (fingerprint) => fingerprint.match(/.{1,4}/g).join(":");

// While a ceremony or a change runs the list stands still.
async function act(run) {
  busy += 1;
  await attempt(async () => {
    await run();
    await refresh();
  });
  busy -= 1;
}

function button(text, run, quiet = true) {
  const made = element("button", { text, className: quiet ? "quiet" : "" });
  made.type = "button";
  made.addEventListener("click", () => act(run));
  return made;
}

async function decide(request, decision, key) {
  const question = { decision, key_id: key.key_id };
  const { public_key: options } = await send("POST", `/approvals/${request.id}/passkey-options`, question);
  const { response } = await usePasskey(options);
  const signature = {
    kind: "passkey",
    authenticator_data: response.authenticatorData,
    client_data: response.clientDataJSON,
    signature: response.signature,
  };
  await send("POST", `/approvals/${request.id}/decisions`, { ...question, signature });
}

function answering(request) {
  const row = element("div", { className: "row" });
  const may = request.policy.people.includes(who.name) && request.initiator !== who.name;
  const said = request.answers.some((answer) => answer.person === who.name);
  const passkeys = isPossible() ? keys.filter(isUsable) : [];
  if (may && !said) {
    for (const key of passkeys) {
      const which = passkeys.length > 1 ? ` (${key.name})` : "";
      row.append(
        button(`Approve with a passkey${which}`, () => decide(request, "approve", key), false),
        button(`Refuse with a passkey${which}`, () => decide(request, "refuse", key)),
      );
    }
    row.append(element("span", { text: `or: bes approve sign ${request.id}`, className: "hint" }));
  }
  if (request.initiator === who.name) {
    row.append(button("Withdraw", () => send("POST", `/approvals/${request.id}/withdrawal`)));
  }
  const save = element("a", { text: "Save for a machine without a network", className: "hint" });
  save.href = `/api/v1/approvals/${request.id}`;
  save.download = `request-${request.id}.json`;
  row.append(save);
  return row;
}

function intent(request) {
  const list = element("dl", { className: "intent" });
  const rows = [
    ...request.lines.map(({ label, value }) => [label, value]),
    ["Request", request.id],
    ["Digest", request.digest],
  ];
  for (const [label, value] of rows) {
    const exact = label === "Digest" || label === "Request" || label === "Unique number";
    list.append(element("dt", { text: label }), element("dd", { text: value, className: exact ? "exact" : "" }));
  }
  return list;
}

function progress(request) {
  const approved = request.answers.filter((answer) => answer.decision === "approve");
  const names = approved.map((answer) => answer.person).join(", ");
  const need = `${approved.length} of ${request.policy.quorum} approvals${names ? ` (${names})` : ""}`;
  return `${need}. May approve: ${request.policy.people.join(", ")}. Asked for by ${request.initiator}, `
    + `until ${format.clock(request.expires)}.`;
}

function card(request) {
  const head = element("div", { className: "row" },
    element("h3", { text: request.headline }), badge(request.state, TONES[request.state] ?? "idle"));
  const made = element("li", { className: "card" },
    head, element("p", { text: progress(request), className: "hint" }), intent(request), answering(request));
  made.id = `request-${request.id}`;
  return made;
}

function pastLine(summary) {
  const words = element("div", {},
    element("strong", { text: summary.headline }),
    element("p", { text: `Asked for by ${summary.initiator}, ${format.clock(summary.created)}`, className: "hint" }));
  return element("li", {}, words, badge(summary.state, TONES[summary.state] ?? "idle"));
}

function keyLine(key) {
  const state = key.revoked ? "revoked" : key.confirmed ? "in force" : "waits for somebody else's confirmation";
  const words = element("div", {},
    element("strong", { text: `${key.name} (${key.kind})` }),
    element("p", { text: grouped(key.key_id), className: "fingerprint" }),
    element("p", { text: state, className: "hint" }));
  const line = element("li", {}, words);
  if (!key.revoked) line.append(button("Revoke", () => send("POST", `/approval-keys/${key.id}/revocation`)));
  return line;
}

// The fingerprint is typed, not shown: it has to come from the key's owner.
function confirmLine(key) {
  const typed = element("input");
  typed.required = true;
  typed.maxLength = 60;
  typed.autocomplete = "off";
  typed.setAttribute("aria-label", `Fingerprint of ${key.person}'s key ${key.name}`);
  const form = element("form", { className: "row" },
    element("span", { text: `${key.person}: ${key.name} (${key.kind})` }), typed, element("button", { text: "Confirm" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const keyId = typed.value.replaceAll(/[:\s]/g, "").toLowerCase();
    act(() => send("POST", `/approval-keys/${key.id}/confirmation`, { key_id: keyId }));
  });
  return element("li", {}, form);
}

const fill = (id, items, empty) =>
  byId(id).replaceChildren(...(items.length ? items : [element("li", { text: empty, className: "hint" })]));

async function refresh() {
  const [{ items }, { items: known }] = await Promise.all([
    read(`/approvals?limit=${SHOWN}`), read("/approval-keys"),
  ]);
  const open = items.filter((item) => item.state === "pending" || item.state === "approved");
  const waiting = await Promise.all(open.map((item) => read(`/approvals/${item.id}`)));
  const now = JSON.stringify([items, waiting, known]);
  if (now === told) return;
  told = now;
  keys = known;
  fill("waiting", waiting.map(card), "Nothing waits for approval.");
  fill("past", items.filter((item) => !open.includes(item)).map(pastLine), "Nothing yet.");
  fill("own-keys", keys.filter((key) => key.own).map(keyLine), "You have no key for approvals yet.");
  const others = keys.filter((key) => !key.own && !key.confirmed && !key.revoked);
  fill("unconfirmed", others.map(confirmLine), "No key waits to be confirmed.");
}

onSubmit(byId("hand-in"), (form) => act(async () => {
  const { request, ...decision } = JSON.parse(await form.get("file").text());
  await send("POST", `/approvals/${encodeURIComponent(request)}/decisions`, decision);
  byId("hand-in").reset();
}));

onSubmit(byId("passkey-add"), (form) => act(async () => {
  const { public_key: options } = await send("POST", "/approval-keys/passkey-options");
  const credential = await makePasskey(options);
  await send("POST", "/approval-keys/passkeys", { name: form.get("name"), credential });
  byId("passkey-add").reset();
}));

onSubmit(byId("key-add"), (form) => act(async () => {
  await send("POST", "/approval-keys", JSON.parse(String(form.get("document"))));
  byId("key-add").reset();
}));

attempt(async () => {
  who = await prepareMenu();
  await refresh();
  setInterval(() => {
    const typing = byId("unconfirmed").contains(document.activeElement);
    if (busy || document.hidden || typing) return;
    refresh().catch((error) => console.info(String(error)));
  }, EVERY_MS);
});
