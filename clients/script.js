// In the place of the script that Plausible serves: the same tracker, told its site by the tag or by `plausible.init`, with
// what the page had queued before it came.
import { init, track } from "@plausible-analytics/tracker";

const tag = document.currentScript;
const queued = window.plausible;

function start(options) {
  init({ domain: "example.com", endpoint: `${new URL(tag.src).origin}/api/event`, ...options });
}

window.plausible = Object.assign(track, { init: start });
if (tag.dataset.domain) start({ domain: tag.dataset.domain });
if (queued?.o) start(queued.o);
for (const call of queued?.q ?? []) track(...call);
