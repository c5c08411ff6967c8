// Changes in the session of this page: its token against forgery, the menu, signing out.

import { API } from "/static/rest.js";

const PATIENCE_MS = 20_000;
let current = null;

// Who is signed in; read once a page.
export function whoIs() {
  current ??= ask("GET", "/sessions/current").catch((error) => {
    current = null;
    throw error;
  });
  return current;
}

// After a step that changed the session's token.
export const forget = () => { current = null; };

// A change. Without a body it gives null; what is refused throws an Error with the reason.
export async function send(method, path, body) {
  const { csrf } = await whoIs();
  return ask(method, path, body, { "X-CSRF-Token": csrf });
}

export async function ask(method, path, body, headers = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(API + path, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json", ...headers },
    signal: AbortSignal.timeout(PATIENCE_MS),
    ...sent,
  });
  const text = await answer.text();
  const told = text ? JSON.parse(text) : null;
  if (answer.ok) return told;
  const fields = (told?.errors ?? []).map((one) => `${one.field}: ${one.problem}`);
  const error = new Error(fields.length ? fields.join("; ") : (told?.detail ?? `status ${answer.status}`));
  error.status = answer.status;
  error.retryAfterS = Number(answer.headers.get("retry-after"));
  throw error;
}

export async function signOut() {
  await send("DELETE", "/sessions/current");
  location.assign("/sign-in");
}

// Shows what the person may see of the page.
export async function prepareMenu() {
  document.getElementById("sign-out")?.addEventListener("click", () => {
    signOut().catch(() => location.assign("/sign-in"));
  });
  const who = await whoIs();
  for (const part of document.querySelectorAll("[data-permission]")) {
    part.hidden = !(part.dataset.permission in who.permissions);
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  }
  return who;
}

// Does what a form asks for, its button held meanwhile; what is refused is told in the notice.
export function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = form.querySelectorAll("button");
    buttons.forEach((button) => { button.disabled = true; });
    await attempt(() => act(new FormData(form)));
    buttons.forEach((button) => { button.disabled = false; });
  });
}

export async function attempt(act) {
  const notice = document.getElementById("notice");
  notice.hidden = true;
  try {
    await act();
  } catch (error) {
    if (error.status === 401) location.assign("/sign-in");
    notice.textContent = sentence(error.message);
    notice.hidden = false;
    notice.scrollIntoView({ block: "nearest" });
  }
}

export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
