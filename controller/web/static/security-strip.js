// The strip on the page of sites: how many security events nobody has looked into.

import { element } from "/static/elements.js";
import { read } from "/static/rest.js";

export async function showSecurity(who) {
  const strip = document.getElementById("security");
  if (!("security.read" in who.permissions)) return;
  const { open } = await read("/security/summary");
  const grave = open.critical + open.warning;
  strip.hidden = grave === 0;
  strip.dataset.severity = open.critical ? "critical" : "warning";
  if (!grave) return;
  const text = grave === 1 ? "1 security event is open" : `${grave} security events are open`;
  const link = element("a", { text: open.critical ? `${text}, ${open.critical} critical` : text });
  link.href = "/security";
  strip.replaceChildren(link);
}
