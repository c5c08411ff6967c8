// Making and changing elements. Text is only ever set as text, never as markup.

import * as format from "/static/format.js";

export function element(tag, { text, className, role } = {}, ...children) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  if (role) made.setAttribute("role", role);
  made.append(...children);
  return made;
}

export function time(at, text = format.hour(at)) {
  const made = element("time", { text });
  made.dateTime = at;
  made.title = format.clock(at);
  return made;
}

export const badge = (text, tone) => element("span", { text, className: `badge ${tone}` });

// Writes only what differs, so that a thousand unchanged rows cost no layout.
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes a list's children those of `wanted`, [[key, make]] in order; what stands already is kept.
export class KeyedList {
  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
    this.known = new Map();
  }

  show(wanted) {
    const shown = wanted.length ? wanted : [["", () => element("li", { text: this.empty, className: "hint" })]];
    const keep = new Map();
    shown.forEach(([key, make], place) => {
      const item = this.known.get(key) ?? make();
      keep.set(key, item);
      if (this.list.children[place] !== item) {
        this.list.insertBefore(item, this.list.children[place] ?? null);
      }
    });
    for (const [key, item] of this.known) if (!keep.has(key)) item.remove();
    this.known = keep;
  }
}
