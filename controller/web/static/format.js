// Values as people read them. Unknown is a dash, never a zero.

const UNKNOWN = "–";

export function scaled(value, units, digits = 1) {
  if (value === null || value === undefined) return UNKNOWN;
  let amount = value;
  let unit = 0;
  while (Math.abs(amount) >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const shown = amount.toLocaleString("en", {
    minimumFractionDigits: unit ? digits : 0,
    maximumFractionDigits: unit ? digits : 0,
  });
  return `${shown} ${units[unit]}`;
}

export const power = (watts) => scaled(watts, ["W", "kW", "MW"], 2);

export const hashrate = (ths) => scaled(ths, ["TH/s", "PH/s", "EH/s"], 2);

export function price(text) {
  if (text === null || text === undefined) return UNKNOWN;
  const amount = Number(text);
  return `${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} $/MWh`;
}

export function efficiency(watts, ths) {
  if (watts === null || ths === null || watts === undefined || ths === undefined) return UNKNOWN;
  if (ths <= 0) return UNKNOWN;
  return (watts / ths).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

export function age(then, now) {
  if (!then || !now) return UNKNOWN;
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(then)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

export const clock = (time) =>
  time ? new Date(time).toISOString().slice(0, 16).replace("T", " ") + " UTC" : UNKNOWN;

export const hour = (time) => new Date(time).toISOString().slice(5, 16).replace("T", " ");

export function setpoint(data) {
  if (!data) return "unchanged";
  if (data.kind === "power_limit") return `limit ${power(data.power_w)}`;
  if (data.kind === "preset") return `preset ${data.name}`;
  return data.kind;
}

export const words = (code) => String(code ?? "").replaceAll("_", " ");
