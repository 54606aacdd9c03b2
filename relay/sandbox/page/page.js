// Shows what the sandbox received and sets its faults. Everything received is put in as text, never as markup.
"use strict";

const SHOWN = 200;
const POLL_MS = 1000;
const MARKS = { recorded: "✓", dropped: "○", refused: "✕", failed: "↯" };
const FAULTS = {
  normal: null,
  503: { status: 503, retry_after: "2" },
  reset: { reset: "before" },
  slow: { delay_s: 1.5 },
  drop: { drop: true },
};
const TOLD = {
  normal: "As Plausible would.",
  503: "Every event is answered 503 and Retry-After: 2.",
  reset: "Every connection is reset before its event is read.",
  slow: "Every event is recorded, and answered 1.5 s later.",
  drop: "Every event is answered 202 and dropped.",
};
const CAUSES = {
  bot: "looks like a bot",
  dc_ip: "address of a datacentre",
  threat_ip: "address of a threat",
  not_found: "site is not known",
  no_session_for_engagement: "engagement without a session",
  injected: "dropped on request",
  unreadable: "body could not be read",
  not_acceptable: "Accept leaves no room for JSON",
};
const EXAMPLE = { name: "Signup", domain: "example.com", url: "app://example.com/welcome", props: { plan: "trial" } };

const byId = (id) => document.getElementById(id);
const rows = document.querySelector("#events tbody");
const seen = { run: null, seq: 0, filter: null };

/** A new element with a class and children; a child that is text stays text. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

/** A stranger's text: its direction cannot leak into what stands beside it. */
function strange(text, className) {
  const element = make("bdi", className, text);
  element.title = text;
  return element;
}

function cell(...children) {
  const element = make("td", "", ...children);
  element.setAttribute("role", "cell");
  return element;
}

function row(className, ...cells) {
  const element = make("tr", className, ...cells);
  element.setAttribute("role", "row");
  return element;
}

function toggleOf(event, detail) {
  const at = new Date(event.at);
  const time = `${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  const button = make("button", "toggle", time);
  button.type = "button";
  button.title = `${event.at}: show headers and body`;
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", detail.id);
  button.setAttribute("aria-label", `${time}, headers and body`);
  button.addEventListener("click", () => {
    if (!detail.hasChildNodes()) detail.append(detailOf(event));
    detail.hidden = !detail.hidden;
    button.setAttribute("aria-expanded", String(!detail.hidden));
  });
  return button;
}

function outcomeOf(event) {
  const name = make("span", "outcome", `${MARKS[event.outcome]} ${event.outcome}`);
  name.dataset.outcome = event.outcome;
  const cause = event.cause ? (CAUSES[event.cause] ?? event.cause) : "";
  const answer = event.outcome === "refused" ? `${event.status}, ${cause}` : cause;
  return [name, answer ? make("small", "", strange(answer, "clamp")) : null];
}

function pairsOf(event) {
  const list = make("ul", "pairs");
  for (const [name, value] of Object.entries(event.props)) {
    list.append(make("li", "", make("bdi", "", make("span", "", `${name}: `)), strange(value)));
  }
  const money = event.revenue ? make("span", "money", `${event.revenue.amount} ${event.revenue.currency}`) : null;
  return [list.hasChildNodes() ? list : null, money];
}

function detailOf(event) {
  const headers = event.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  const block = (title, text) => {
    const pre = make("pre", "", strange(text));
    pre.tabIndex = 0;
    pre.setAttribute("aria-label", title);
    return make("div", "", make("h3", "", title), pre);
  };
  const title = event.body_base64 ? "Body (not UTF-8, other bytes as \\x…)" : "Body";
  const element = cell(make("div", "cols", block("Headers", headers || "none"), block(title, event.body || "empty")));
  element.colSpan = 6;
  return element;
}

function addEvent(event, fresh) {
  const detail = row("detail");
  detail.id = `detail-${event.seq}`;
  detail.hidden = true;
  const entry = row(
    fresh ? "fresh" : "",
    cell(toggleOf(event, detail)),
    cell(...outcomeOf(event)),
    cell(event.name === null ? null : make("strong", "", strange(event.name, "clamp")), make("small", "", strange(event.sites.join(", ")))),
    cell(event.url === null ? null : strange(event.url, "clamp url")),
    cell(strange(event.ip, "mono"), make("small", "", strange(event.user_agent ?? "no User-Agent", "clamp"))),
    cell(...pairsOf(event)),
  );
  rows.prepend(entry, detail);
  while (rows.children.length > 2 * SHOWN) rows.lastElementChild.remove();
}

function startAnew() {
  rows.replaceChildren();
  seen.seq = 0;
}

function showCounters(state) {
  for (const button of document.querySelectorAll(".counters button")) {
    button.querySelector("b").textContent = state[button.dataset.outcome].toLocaleString("en");
    button.setAttribute("aria-pressed", String(button.dataset.outcome === seen.filter));
  }
  byId("empty").hidden = state.total > 0;
  byId("events").hidden = rows.children.length === 0;
  byId("none").hidden = state.total === 0 || rows.children.length > 0;
}

function showFaults({ rules }) {
  const given = rules.map(({ applied, remaining, ...rule }) => JSON.stringify(rule));
  const chosen = Object.keys(FAULTS).find((name) =>
    FAULTS[name] === null ? rules.length === 0 : given.length === 1 && given[0] === JSON.stringify(FAULTS[name]),
  );
  for (const button of document.querySelectorAll("[data-fault]")) {
    button.setAttribute("aria-pressed", String(button.dataset.fault === chosen));
  }
  const hits = rules.reduce((sum, rule) => sum + rule.applied, 0);
  const count = rules.length === 0 ? "" : ` ${hits.toLocaleString("en")} ${hits === 1 ? "request" : "requests"} so far.`;
  const told = (chosen ? TOLD[chosen] : `By rules set with PUT /faults: ${given.join(", then ")}.`) + count;
  if (byId("fault-state").textContent !== told) byId("fault-state").textContent = told;
}

async function call(path, options) {
  const answer = await fetch(path, { cache: "no-store", ...options });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

async function refresh() {
  const news = byId("news");
  try {
    const query = new URLSearchParams({ since: seen.seq, limit: SHOWN });
    if (seen.filter) query.set("outcome", seen.filter);
    const [state, faults] = await Promise.all([call(`/events?${query}`), call("/faults")]);
    if (seen.run !== null && seen.run !== state.run && seen.seq > 0) {
      startAnew();
      seen.run = state.run;
      return await refresh();
    }
    seen.run = state.run;
    const fresh = seen.seq > 0;
    for (const event of state.events) {
      addEvent(event, fresh);
      seen.seq = event.seq;
    }
    showCounters(state);
    showFaults(faults);
    if (state.events.length) news.textContent = `${state.events.length} new, last at ${new Date().toLocaleTimeString("en-GB")}`;
    else if (state.total === 0 || news.dataset.lost) news.textContent = "Waiting for events";
    delete news.dataset.lost;
  } catch (error) {
    news.dataset.lost = "yes";
    news.textContent = "The sandbox does not answer; trying again";
    console.warn(error);
  }
}

// One refresh at a time: polling, clicks and coming back to the page all go through this queue.
let queue = Promise.resolve();
const soon = (first = async () => {}) => {
  queue = queue.then(first).catch(console.warn).then(refresh);
  return queue;
};

async function poll() {
  if (!document.hidden) await soon();
  setTimeout(poll, POLL_MS);
}

for (const button of document.querySelectorAll("[data-fault]")) {
  const fault = FAULTS[button.dataset.fault];
  const options = fault === null ? { method: "DELETE" } : { method: "PUT", body: JSON.stringify(fault) };
  button.addEventListener("click", () => soon(() => call("/faults", options)));
}
for (const button of document.querySelectorAll(".counters button")) {
  button.addEventListener("click", () => soon(async () => {
    seen.filter = seen.filter === button.dataset.outcome ? null : button.dataset.outcome;
    startAnew();
  }));
}
byId("clear").addEventListener("click", () => soon(() => call("/events", { method: "DELETE" })));
byId("sample").addEventListener("click", () => soon(() => fetch("/api/event", { method: "POST", body: JSON.stringify(EXAMPLE) })));
document.addEventListener("visibilitychange", () => document.hidden || soon());

byId("origin").textContent = location.origin;
byId("example").textContent = `curl -i ${location.origin}/api/event -H 'Content-Type: application/json' \\
  -d '${JSON.stringify(EXAMPLE)}'`;
poll();
