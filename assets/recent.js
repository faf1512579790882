/* What this browser looked at lately, for the gallery: kept here alone, so nobody sees what another has looked at. */
(function () {
  "use strict";
  const { around, make, makeText } = window.vitrine.lib;
  const KEY = "vitrine-recent", MOST = 8, SETTLED = 1500;
  let waiting = 0;

  function kept() {
    try {
      const found = JSON.parse(window.localStorage.getItem(KEY)) || [];
      return found.filter((one) => typeof one.where === "string" && /^\/[^/]/.test(one.where)).slice(0, MOST);
    } catch { return []; } // a private window may keep nothing, and anything may stand there
  }

  function keep(list) {
    try {
      window.localStorage.setItem(KEY, JSON.stringify(list.slice(0, MOST)));
    } catch { /* then it is forgotten */ }
  }

  /* The view that the address holds, once it is left alone for a moment; the same input on the same page once. */
  function note(view) {
    window.clearTimeout(waiting);
    const { model, input, text } = view.params || {};
    if (!model || !(input || text)) return;
    waiting = window.setTimeout(() => {
      const of = [view.path, model, input || "", text || ""].join("\n");
      const title = document.title.split(" · ")[0];
      const one = { of, title, model, said: text ? String(text).slice(0, 80) : "", where: view.path + window.location.search, when: Date.now() };
      keep([one, ...kept().filter((other) => other.of !== of)]);
    }, SETTLED);
  }

  function show() {
    const place = document.getElementById("gallery-recent");
    if (!place) return window.dash_clientside.no_update;
    const list = kept();
    place.replaceChildren();
    if (!list.length) {
      makeText("p", "text-body-secondary mb-0", "Nothing yet: what you look at is listed here, in this browser only.", place);
      return window.dash_clientside.no_update;
    }
    const lines = make("ul", "gallery-recent", place);
    for (const one of list) {
      const line = make("li", "", lines);
      makeText("a", "", one.said ? `${one.title}: ${one.said}` : String(one.title), line).href = one.where;
      const when = new Date(one.when).toLocaleString("en-GB", { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });
      makeText("span", "", `${one.model} · ${when}`, line);
    }
    const foot = make("div", "gallery-forget", place);
    makeText("span", "hint", "Kept in this browser only.", foot);
    makeText("button", "btn btn-sm btn-outline-secondary", "Forget these", foot).type = "button";
    return window.dash_clientside.no_update;
  }

  document.addEventListener("click", (event) => {
    if (!around(event, ".gallery-forget button")) return;
    keep([]);
    show();
    document.getElementById("gallery-recent").focus();
  });

  window.vitrine.recent = { note };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { recent: { show } });
})();
