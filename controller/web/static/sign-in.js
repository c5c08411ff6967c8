// Signing in: name and password, then the second factor where one is set up.

import { isPossible, usePasskey } from "/static/passkey.js";
import { ask, sentence } from "/static/session.js";

const passwordStep = document.getElementById("password-step");
const factorStep = document.getElementById("factor-step");
let csrf = "";

function goOn(signedIn) {
  csrf = signedIn.csrf;
  if (signedIn.stage === "full") return location.assign("/");
  if (signedIn.stage === "enrolling") return location.assign("/account");
  passwordStep.hidden = true;
  factorStep.hidden = false;
  for (const part of factorStep.querySelectorAll("[data-factor]")) {
    const kind = part.dataset.factor;
    const offered = signedIn.factors.includes(kind) && (kind !== "passkey" || isPossible());
    part.hidden = !offered;
    part.querySelectorAll("input, button").forEach((input) => { input.disabled = !offered; });
  }
  document.getElementById("code").focus();
  return undefined;
}

function tell(form, error) {
  const alert = form.querySelector("[role=alert]");
  if (error.status === 429) {
    const minutes = Math.max(1, Math.ceil(error.retryAfterS / 60));
    alert.textContent = `Too many attempts. Try again in ${minutes} min.`;
  } else if (error.status === 401) {
    const first = form === passwordStep;
    alert.textContent = first ? "Name or password is not right." : "This is not right, or too late.";
  } else {
    alert.textContent = sentence(error.message);
  }
  alert.hidden = false;
}

async function attempt(form, act) {
  form.querySelector("[role=alert]").hidden = true;
  form.classList.add("waiting");
  try {
    goOn(await act());
  } catch (error) {
    tell(form, error);
  } finally {
    form.classList.remove("waiting");
  }
}

const inSession = (path, body) => ask("POST", path, body, { "X-CSRF-Token": csrf });

passwordStep.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, password } = Object.fromEntries(new FormData(passwordStep));
  attempt(passwordStep, () => ask("POST", "/sessions", { name, password }));
});

factorStep.addEventListener("submit", (event) => {
  event.preventDefault();
  const code = String(new FormData(factorStep).get("code")).trim();
  attempt(factorStep, () => inSession("/sessions/current/code", { code }));
});

document.getElementById("use-passkey").addEventListener("click", () => {
  attempt(factorStep, async () => {
    const { options } = await inSession("/sessions/current/passkey-options");
    return inSession("/sessions/current/passkey", await usePasskey(options));
  });
});

document.getElementById("start-over").addEventListener("click", () => location.reload());
