// One's own account: second factors, password, tokens, sessions.

import { element } from "/static/elements.js";
import * as format from "/static/format.js";
import { makePasskey } from "/static/passkey.js";
import { read } from "/static/rest.js";
import { attempt, forget, onSubmit, prepareMenu, send, whoIs } from "/static/session.js";

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const QUIET_ZONE = 4;

// Buttons that ask for the password again take it from the form of their section.
const passwordOf = (form) => String(new FormData(form).get("password"));

function item(title, note, act) {
  const words = element("div", {}, element("strong", { text: title }), element("p", { text: note, className: "hint" }));
  const line = element("li", {}, words);
  if (act) {
    const button = element("button", { text: act.text, className: "quiet" });
    button.type = "button";
    button.addEventListener("click", () => attempt(act.run));
    line.append(button);
  }
  return line;
}

const list = (id, items, empty) =>
  byId(id).replaceChildren(...(items.length ? items : [element("li", { text: empty, className: "hint" })]));

async function showAccount() {
  const account = await read("/account");
  byId("who").textContent = `${account.display_name} (${account.name})`;
  byId("totp-state").textContent = account.totp
    ? `An app is set up. ${account.recovery_codes_left} recovery codes are left.`
    : "No app is set up.";
  byId("totp-remove").hidden = !account.totp;
  list("passkeys", account.passkeys.map((key) =>
    item(key.name, `Added ${format.day(key.created)}${key.last_used ? `, used ${format.day(key.last_used)}` : ""}`, {
      text: "Forget",
      run: async () => {
        await send("DELETE", `/account/passkeys/${key.id}`, { password: passwordOf(byId("passkey-add")) });
        await showAccount();
      },
    })), "No passkey is registered.");
  return account;
}

async function showTokens() {
  const tokens = await read("/tokens");
  list("tokens", tokens.map((token) =>
    item(`${token.name} (${token.prefix}…)`, `${token.permissions.join(", ")}; until ${token.expires ? format.day(token.expires) : "its file changes"}`, {
      text: "End",
      run: async () => {
        await send("DELETE", `/tokens/${token.id}`);
        await showTokens();
      },
    })), "There is no token.");
}

async function showSessions() {
  const sessions = await read("/sessions");
  list("sessions", sessions.map((session) =>
    item(session.current ? "This session" : session.browser || "Unknown browser",
      `Since ${format.clock(session.created)}, last used ${format.clock(session.last_used)}`,
      session.current ? null : {
        text: "End",
        run: async () => {
          await send("DELETE", `/sessions/${session.id}`);
          await showSessions();
        },
      })), "");
}

function showPermissions(who) {
  const boxes = Object.keys(who.permissions)
    .filter((permission) => permission !== "approvals.decide" && permission !== "account.own")
    .map((permission) => {
      const box = element("input");
      box.type = "checkbox";
      box.name = "permissions";
      box.value = permission;
      return element("label", {}, box, permission);
    });
  byId("token-permissions").replaceChildren(...boxes);
}

function drawn(rows) {
  const size = rows.length + 2 * QUIET_ZONE;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "QR code for the authenticator app");
  const path = document.createElementNS(SVG, "path");
  const dots = rows.flatMap((row, y) => [...row].map((dot, x) =>
    dot === "1" ? `M${x + QUIET_ZONE} ${y + QUIET_ZONE}h1v1h-1z` : ""));
  path.setAttribute("d", dots.join(""));
  svg.append(path);
  return svg;
}

async function factorAdded(added) {
  forget();
  if (added.recovery_codes.length) {
    byId("recovery").hidden = false;
    byId("recovery-codes").replaceChildren(...added.recovery_codes.map((code) => element("li", { text: code })));
  }
  await showAll();
}

async function showAll() {
  const who = await whoIs();
  const whole = who.stage === "full";
  const first = (await showAccount()).has_first_password;
  byId("first-password").hidden = !first;
  byId("enrol").hidden = whole || first;
  for (const part of document.querySelectorAll("[data-once]")) {
    part.hidden = first || (part.dataset.once === "whole" && !whole);
  }
  showPermissions(who);
  for (const link of document.querySelectorAll("nav [data-permission]")) {
    link.hidden = !(link.dataset.permission in who.permissions);
  }
  if (whole && !first) await Promise.all([showTokens(), showSessions()]);
}

onSubmit(byId("totp-begin"), async (form) => {
  const begun = await send("POST", "/account/totp", { password: form.get("password") });
  byId("qr").replaceChildren(drawn(begun.qr));
  byId("totp-secret").textContent = begun.secret;
  byId("totp-confirm").hidden = false;
  byId("totp-confirm").elements.code.focus();
});

onSubmit(byId("totp-confirm"), async (form) => {
  const added = await send("POST", "/account/totp/confirmation", { code: form.get("code") });
  byId("totp-confirm").hidden = true;
  byId("qr").replaceChildren();
  byId("totp-secret").textContent = "";
  byId("totp-begin").reset();
  await factorAdded(added);
});

byId("totp-remove").addEventListener("click", () => attempt(async () => {
  await send("DELETE", "/account/totp", { password: passwordOf(byId("totp-begin")) });
  byId("totp-begin").reset();
  await showAccount();
}));

onSubmit(byId("passkey-add"), async (form) => {
  const { options } = await send("POST", "/account/passkeys/options", { password: form.get("password") });
  const credential = await makePasskey(options);
  const added = await send("POST", "/account/passkeys", { name: form.get("name"), credential });
  byId("passkey-add").reset();
  await factorAdded(added);
});

onSubmit(byId("password-change"), async (form) => {
  await send("PUT", "/account/password", Object.fromEntries(form));
  location.assign("/sign-in");
});

onSubmit(byId("token-make"), async (form) => {
  const made = await send("POST", "/tokens", {
    name: form.get("name"),
    days: Number(form.get("days")),
    permissions: form.getAll("permissions"),
    password: form.get("password"),
  });
  byId("token-make").reset();
  byId("token-shown").querySelector("code").textContent = made.token;
  byId("token-shown").hidden = false;
  await showTokens();
});

byId("end-others").addEventListener("click", () => attempt(async () => {
  await send("DELETE", "/sessions");
  await showSessions();
}));

attempt(async () => {
  await prepareMenu();
  await showAll();
});
