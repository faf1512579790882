/* The page that came with the HTML: its layout and callbacks are handed to Dash's renderer, which would ask for them.
   Stands before all other scripts of the bundle (viz/server/bundle.py); what the server settled is viz/server/first_view.py. */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const said = document.getElementById("first-view");
  if (!said) return; // another way to serve the app: Dash asks for everything itself
  const { page, theme, left, ran } = JSON.parse(said.textContent);
  const layout = document.getElementById("first-layout").textContent;
  const TAB = "@@tab@@"; // shell.TAB_MARK: every browser tab has a name of its own
  const own = window.fetch;

  vitrine.drawnFor = theme;

  function name() {
    return Array.from(window.crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  }

  const answer = (text) =>
    Promise.resolve(new Response(text, { status: 200, headers: { "Content-Type": "application/json" } }));

  /* The callbacks of this page. What the server ran does not run again as the page opens; what it left does. */
  function dependencies() {
    const done = new Set(ran);
    const specs = JSON.parse(vitrine.dependencies)[page];
    for (const spec of specs) {
      if (done.has(spec.output)) spec.prevent_initial_call = true;
      if (left[spec.output]) spec.prevent_initial_call = false;
    }
    return JSON.stringify(specs);
  }

  /* A callback that the server left is told what set it off, as if the browser had come so far by itself. */
  function triggered(options) {
    if (!Object.keys(left).length || !options || typeof options.body !== "string") return options;
    const body = JSON.parse(options.body);
    const triggers = left[body.output];
    if (!triggers || body.changedPropIds.length) return options;
    delete left[body.output];
    return { ...options, body: JSON.stringify({ ...body, changedPropIds: triggers }) };
  }

  window.fetch = function (address, options) {
    const path = typeof address === "string" ? address.split("?")[0] : "";
    if (path.endsWith("/_dash-layout")) return answer(layout.replace(TAB, name()));
    if (path.endsWith("/_dash-dependencies")) return answer(dependencies());
    if (path.endsWith("/_dash-update-component")) return own.call(window, address, triggered(options));
    return own.apply(window, arguments);
  };

  /* Another page is fetched whole: this one holds only its own callbacks. */
  document.addEventListener("click", function (event) {
    const link = event.target.closest ? event.target.closest("a[href]") : null;
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== window.location.origin) return;
    if (link.getAttribute("href").startsWith("#") || link.classList.contains("skip-link")) return;
    event.preventDefault();
    event.stopPropagation();
    window.location.assign(link.href);
  }, true);
})();
