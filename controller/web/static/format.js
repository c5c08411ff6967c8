// Values as people read them. Unknown is a dash, never a zero.

export const UNKNOWN = "–";

const isUnknown = (value) => value === null || value === undefined;

const fixed = (value, digits) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

function scaled(value, units) {
  if (isUnknown(value)) return UNKNOWN;
  let amount = value;
  let unit = 0;
  // 999.996 of a unit would be shown as 1,000.00 of it.
  while (Math.abs(amount) >= (unit ? 999.995 : 999.5) && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${fixed(amount, unit ? 2 : 0)} ${units[unit]}`;
}

export const power = (watts) => scaled(watts, ["W", "kW", "MW", "GW"]);

export const hashrate = (ths) => scaled(ths, ["TH/s", "PH/s", "EH/s"]);

// A price is exact text; `Number` only shortens what is shown of it.
export const price = (text) => (isUnknown(text) ? UNKNOWN : `${fixed(Number(text), 2)} $/MWh`);

// "88.10 $/MWh" or "88.10 to 95.20 $/MWh"; "" where no price is known.
export function priceRange(texts) {
  const known = texts.filter((text) => !isUnknown(text)).map(Number);
  if (!known.length) return "";
  const [low, high] = [fixed(Math.min(...known), 2), fixed(Math.max(...known), 2)];
  return low === high ? `${low} $/MWh` : `${low} to ${high} $/MWh`;
}

export function efficiency(watts, ths) {
  if (isUnknown(watts) || isUnknown(ths) || ths <= 0) return UNKNOWN;
  return `${fixed(watts / ths, 1)} J/TH`;
}

export function age(then, now) {
  if (!then || !now) return UNKNOWN;
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(then)) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

export const clock = (time) =>
  time ? new Date(time).toISOString().slice(0, 16).replace("T", " ") + " UTC" : UNKNOWN;

export const day = (time) => new Date(time).toISOString().slice(0, 10);

export const hour = (time) => new Date(time).toISOString().slice(5, 16).replace("T", " ");

export const minute = (time) => new Date(time).toISOString().slice(11, 16);

export function setpoint(data) {
  if (!data) return "an unknown setpoint";
  if (data.kind === "power_limit") return `at most ${power(data.power_w)}`;
  if (data.kind === "preset") return `preset ${data.name}`;
  return String(data.kind);
}

export const words = (code) => String(code ?? "").replaceAll("_", " ");
