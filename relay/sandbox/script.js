// A stand-in for the script that Plausible serves, of Plausible Relay's sandbox: enough of it to try a page with the tag.
// It sends page views, what `plausible(name, options)` is called with, and how far and how long a page was read. It knows
// `data-domain`, `data-api`, `plausible.init` and what was queued before it came; it follows no links and no history.
(() => {
  const tag = document.currentScript;
  const queued = window.plausible;
  const given = { domain: tag.dataset.domain, endpoint: tag.dataset.api };
  const site = {
    domain: given.domain ?? location.hostname,
    endpoint: given.endpoint ?? new URL("/api/event", tag.src).href,
    autoCapturePageviews: !tag.src.includes(".manual."),
  };
  let begun = false;
  let shown_ms = performance.now();
  let read_percent = 0;

  function post(event, callback) {
    fetch(site.endpoint, {
      method: "POST",
      headers: { "Content-Type": "text/plain" },
      keepalive: true, // also while the page closes
      body: JSON.stringify({ u: location.href, d: site.domain, r: document.referrer || null, ...event }),
    }).then(
      ({ status }) => callback?.({ status }),
      (error) => callback?.({ error }),
    );
  }

  function track(name, { props, revenue, interactive, url, callback } = {}) {
    post({ n: name, ...(url && { u: url }), p: props, $: revenue, i: interactive }, callback);
  }

  function start(options) {
    Object.assign(site, options);
    if (begun) return;
    begun = true;
    if (site.autoCapturePageviews) track("pageview");
    addEventListener("scroll", look, { passive: true });
    document.addEventListener("visibilitychange", () => (document.hidden ? leave() : (shown_ms = performance.now())));
  }

  function look() {
    const { scrollHeight } = document.documentElement;
    read_percent = Math.max(read_percent, Math.min(100, Math.round((100 * (scrollY + innerHeight)) / scrollHeight)));
  }

  function leave() {
    look();
    post({ n: "engagement", sd: read_percent, e: Math.max(1, Math.round(performance.now() - shown_ms)) });
  }

  window.plausible = Object.assign(track, { init: start });
  if (given.domain) start({});
  if (queued?.o) start(queued.o);
  for (const call of queued?.q ?? []) track(...call);
})();
