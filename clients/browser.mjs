// One real Chromium, told what to do in JSON lines on standard input; each gets one line of answer on standard output.
// What a page sent is taken from the browser's own network log, where preflights stand too; no request is touched.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: process.argv.slice(2) });
const pages = new Map();

const orders = {
  // A visitor of its own: no cookies and no connections of others.
  async visit({ url }) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const visitor = { context, page, sent: [], said: [] };
    await writeDown(visitor);
    pages.set(pages.size + 1, visitor);
    await page.goto(url);
    return pages.size;
  },
  async go({ page, url }) {
    await pages.get(page).page.goto(url);
  },
  async run({ page, script }) {
    return (await pages.get(page).page.evaluate(script)) ?? null;
  },
  async click({ page, selector }) {
    await pages.get(page).page.click(selector);
  },
  async sent({ page }) {
    return pages.get(page).sent;
  },
  async said({ page }) {
    return pages.get(page).said;
  },
  // As a visitor turns to another window: the page stays, and hears that it lost the focus.
  async cover({ page }) {
    const { context, page: covered } = pages.get(page);
    const log = await context.newCDPSession(covered);
    const other = await context.newPage();
    await log.send("Emulation.setFocusEmulationEnabled", { enabled: false });
    await other.bringToFront();
    await covered.waitForFunction("!document.hasFocus()", null, { polling: 50, timeout: 5000 });
  },
  // As a visitor closes the tab: the page hears that it is hidden.
  async close({ page }) {
    await pages.get(page).page.close({ runBeforeUnload: true });
  },
};

async function writeDown({ context, page, sent, said }) {
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  const log = await context.newCDPSession(page);
  const byId = new Map();
  log.on("Network.requestWillBeSent", ({ requestId, type, redirectResponse, request }) => {
    const { method, url, headers, postData } = request;
    const before = byId.get(requestId);
    if (before) before.status ??= redirectResponse?.status ?? null;
    if (before && !redirectResponse) return; // told before: written down once
    const one = { type, method, url, content_type: headers["Content-Type"] ?? null, body: postData ?? null };
    byId.set(requestId, Object.assign(one, { status: null, failed: null }));
    sent.push(one);
  });
  log.on("Network.responseReceived", ({ requestId, response }) => {
    if (byId.has(requestId)) byId.get(requestId).status = response.status;
  });
  log.on("Network.loadingFailed", ({ requestId, errorText, corsErrorStatus }) => {
    if (byId.has(requestId)) byId.get(requestId).failed = corsErrorStatus?.corsError ?? errorText;
  });
  await log.send("Network.enable");
}

for await (const line of createInterface({ input: process.stdin })) {
  const { order, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await orders[order](given)) ?? null };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
