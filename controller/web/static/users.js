// Accounts and what they are granted: for administrators.

import { badge, element } from "/static/elements.js";
import { readAll } from "/static/rest.js";
import { attempt, onSubmit, prepareMenu, send } from "/static/session.js";

const ROLES = ["viewer", "operator", "treasurer", "compliance_officer", "auditor", "administrator"];
const byId = (id) => document.getElementById(id);
let mayChange = false;

const shown = (role) => role.replaceAll("_", " ");

function button(text, run) {
  const made = element("button", { text, className: "quiet" });
  made.type = "button";
  made.addEventListener("click", () => attempt(async () => {
    await run();
    await show();
  }));
  return made;
}

function grants(user) {
  const lines = user.grants.map((grant) => {
    const line = element("li", {}, element("span", { text: `${shown(grant.role)} on ${grant.scope}` }));
    if (mayChange) line.append(button("Take back", () => send("DELETE", `/users/${user.id}/grants/${grant.id}`)));
    return line;
  });
  return element("ul", { className: "grants" }, ...(lines.length ? lines : [element("li", { text: "no role", className: "hint" })]));
}

// A role that one administrator cannot give alone is put before the others by the controller.
async function grant(user, wanted) {
  const done = await send("POST", `/users/${user.id}/grants`, wanted);
  if (done.approval) throw new Error("a second administrator has to agree: it waits for approval now");
}

function granting(user) {
  const role = element("select", {}, ...ROLES.map((name) => {
    const option = element("option", { text: shown(name) });
    option.value = name;
    return option;
  }));
  role.name = "role";
  role.setAttribute("aria-label", "Role");
  const scope = element("input");
  scope.name = "scope";
  scope.value = "company";
  scope.required = true;
  scope.setAttribute("aria-label", "Scope: company, site:ID or wallet:ID");
  const form = element("form", { className: "row" }, role, scope, element("button", { text: "Grant", className: "quiet" }));
  onSubmit(form, async (given) => {
    await grant(user, Object.fromEntries(given));
    await show();
  });
  return form;
}

function card(user) {
  const head = element("div", { className: "row" },
    element("strong", { text: user.name }), element("span", { text: user.display_name, className: "hint" }));
  if (user.kind === "service") head.append(badge("service", "idle"));
  if (user.disabled) head.append(badge("disabled", "bad"));
  if (user.locked) head.append(badge("locked", "warn"));
  if (user.totp) head.append(badge("app", "good"));
  const line = element("li", { className: "card" }, head, grants(user));
  if (!mayChange) return line;
  const path = `/users/${user.id}`;
  const acts = element("div", { className: "row" },
    user.disabled
      ? button("Enable", () => send("PATCH", path, { disabled: false }))
      : button("Disable", () => send("PATCH", path, { disabled: true })),
    button("End sessions", () => send("POST", `${path}/end-sessions`)));
  if (user.locked) acts.append(button("Unlock", () => send("POST", `${path}/unlock`)));
  if (user.kind === "person") acts.append(button("Reset factors", () => send("POST", `${path}/factor-reset`)));
  line.append(granting(user), acts);
  return line;
}

async function show() {
  const users = await readAll("/users");
  byId("users").replaceChildren(...users.map(card));
}

onSubmit(byId("user-add"), async (form) => {
  await send("POST", "/users", { ...Object.fromEntries(form), kind: "person" });
  byId("user-add").reset();
  await show();
});

attempt(async () => {
  const who = await prepareMenu();
  mayChange = "users.change" in who.permissions;
  await show();
});
