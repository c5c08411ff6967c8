// Reading the REST interface of the host that served this page.

export const API = "/api/v1";
const PATIENCE_MS = 20_000;
const MOST = 500;

// The answer to a GET. Without a session the browser goes to sign in; what fails, throws.
export async function read(path) {
  const answer = await fetch(API + path, {
    headers: { Accept: "application/json" },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (answer.status === 401) location.assign("/sign-in");
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// Every item of a list, page by page.
export async function readAll(path, query = {}) {
  const items = [];
  let cursor = null;
  do {
    const asked = new URLSearchParams({ ...query, limit: MOST, ...(cursor ? { cursor } : {}) });
    const page = await read(`${path}?${asked}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}
