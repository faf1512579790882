/* The frame's part in the browser: the link, the keyboard, exports, and the first look at an upload. */
(function () {
  "use strict";
  const { around, tellTheme } = window.vitrine.lib;

  const MOST_BYTES = 32 * 1024 * 1024;
  const READS = /\.(png|jpe?g|webp|bmp|gif|tiff?)$/i;
  const CARRIED = ["model", "input", "text", "pair", "output", "generated", "step", "target", "sequence"];
  let carried = {};

  /* Parameters as a query string; empty ones are left out, and what is not text is written as JSON. */
  function query(params) {
    const kept = new URLSearchParams();
    for (const [name, value] of Object.entries(params || {})) {
      if (value === null || value === undefined || value === "") continue;
      if (Array.isArray(value) && !value.length) continue;
      if (typeof value === "object" && !Array.isArray(value) && !Object.keys(value).length) continue;
      kept.set(name, typeof value === "string" ? value : JSON.stringify(value));
    }
    const text = kept.toString();
    return text ? "?" + text : "";
  }

  function first(params) {
    const kept = {};
    for (const name of CARRIED) if (params && params[name] !== undefined) kept[name] = params[name];
    return kept;
  }

  /* Write the view into the address, and give every page's link the model, input and target of this one. */
  function link(view, extra, pathname, beside) {
    if (window.vitrine && window.vitrine.theme) window.vitrine.theme.set(window.vitrine.theme.current(), false); // names its button
    const given = Object.fromEntries(new URLSearchParams(window.location.search));
    if (view && view.path === window.location.pathname) {
      const own = extra && extra.path === view.path ? extra.params : {};
      const kept = {};
      for (const name of view.keep || []) kept[name] = own[name] !== undefined ? own[name] : given[name];
      const more = beside && beside.path === view.path ? beside.params : {};
      const touch = window.vitrine.touch ? window.vitrine.touch.kept(view, given.touch) : "";
      const address = view.path + query({ ...view.params, ...kept, ...more, touch });
      if (address !== window.location.pathname + window.location.search) {
        window.history.replaceState(window.history.state, "", address);
      }
      if (window.vitrine.recent) window.vitrine.recent.note(view);
      if (!view.alone) carried = first(view.params); // a page whose model fits no other keeps it to itself
    } else if (given.model) {
      carried = first(given);
    }
    const links = Array.from(document.querySelectorAll(".shell-link"));
    const here = pathname || window.location.pathname;
    const paths = links.map((a) => new URL(a.href, window.location.href).pathname);
    links.forEach((a, i) => {
      if (paths[i] === here) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    });
    return [...paths.map((p) => (p === "/" ? p : p + query(carried))), ...paths.map((p) => p === here)];
  }

  /* One look at a file before it travels; the server looks again. */
  function refusal(file) {
    if (file.size > MOST_BYTES) {
      return `“${file.name}” has ${Math.ceil(file.size / 1048576)} MB; an image may have at most 32 MB.`;
    }
    if (file.size === 0) return `“${file.name}” is empty.`;
    if (!READS.test(file.name)) {
      return `“${file.name}” is not an image Vitrine reads; it reads PNG, JPEG, WEBP, BMP, GIF and TIFF.`;
    }
    return "";
  }

  function inspect(event) {
    const box = around(event, "[id$='-upload']");
    if (!box) return;
    const files = event.type === "drop" ? event.dataTransfer && event.dataTransfer.files : event.target.files;
    const said = files && files.length ? refusal(files[0]) : "";
    const problem = box.id.replace(/-upload$/, "-problem");
    if (!said) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.target.value !== undefined) event.target.value = "";
    window.dash_clientside.set_props(problem, { children: said });
  }
  document.addEventListener("drop", inspect, true);
  document.addEventListener("change", inspect, true);

  /* The file input that Dash makes has no name of its own. */
  new MutationObserver(function () {
    for (const input of document.querySelectorAll(".upload input[type=file]:not([aria-label])")) {
      input.setAttribute("aria-label", "Choose an image");
    }
  }).observe(document.documentElement, { subtree: true, childList: true });

  /* Ctrl+Enter (or Cmd+Enter) in a text applies it. */
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const area = event.target;
    if (!(area instanceof HTMLTextAreaElement) || !/-(text|second)$/.test(area.id)) return;
    const button = document.getElementById(area.id.replace(/-(text|second)$/, "-apply"));
    if (button) {
      event.preventDefault();
      window.setTimeout(() => button.click(), 0);
    }
  });

  /* What a link carries of an input, as link_of of viz/components/inputs.py has it. */
  const LONGEST = 600;
  function input(given) {
    if (given.generated) return { input: given.digest, generated: given.generated, step: String(given.step) };
    const texts = {};
    let length = 0;
    for (const name of ["text", "pair", "output"]) {
      if (!given[name]) continue;
      texts[name] = given[name];
      length += given[name].length;
    }
    const short = texts.text && length <= LONGEST && !given.image && !given.ids && !given.output_ids;
    return short ? texts : { input: given.digest };
  }

  /* Which example, and which answer, is the one that the page shows. */
  function examples(given, ids) {
    return (ids || []).map((id) => (given && given.example === id.index ? "example chosen" : "example"));
  }

  function answers(aim, ids) {
    const named = Array.isArray(aim) ? aim : typeof aim === "string" ? [aim] : [];
    return (ids || []).map((id, i) => {
      const label = id.label.trim().toLowerCase();
      const place = named.findIndex((n) => String(n).trim().toLowerCase() === label);
      if (place === 1) return "answer versus";
      return place === 0 || (!named.length && !aim && i === 0) ? "answer chosen" : "answer";
    });
  }

  /* Saving a picture and copying the link: see viz/components/exports.py. */
  document.addEventListener("click", function (event) {
    const button = around(event, "[data-save], [data-copy-link]");
    if (!button) return;
    const vitrine = window.vitrine || {};
    if (button.hasAttribute("data-copy-link")) {
      vitrine.copy(window.location.href).then((done) => say(button, done ? "Copied" : "Copy it from the address bar"));
      return;
    }
    const id = button.getAttribute("data-picture");
    const kind = button.getAttribute("data-save");
    const key = button.getAttribute("data-key");
    const view = button.hasAttribute("data-view") ? JSON.parse(button.getAttribute("data-view")) : null;
    const plain = () => [vitrine.saveHeat, vitrine.saveText, vitrine.saveGraph].filter(Boolean)
      .reduce((before, save) => before.then((done) => done || save(id, kind)), Promise.resolve(false));
    const saved = key ? vitrine.saveSheet(key, id, kind, view) : plain();
    saved.then((done) => done || say(button, "Nothing is drawn yet"), (error) => say(button, error.message || "It could not be saved"));
  });

  function say(button, words) {
    const before = button.textContent;
    button.textContent = words;
    window.setTimeout(() => (button.textContent = before), 1600);
  }

  /* A skip link moves the focus without touching the address, which holds the view. */
  document.addEventListener("click", function (event) {
    const skip = around(event, ".skip-link");
    if (skip) {
      event.preventDefault();
      const content = document.getElementById(skip.getAttribute("href").slice(1));
      if (content) content.focus();
    }
  });

  /* Figures among the other methods of a page are drawn for the theme: see viz/components/method_panel.py. */
  window.addEventListener("vitrine-theme", () => {
    for (const panel of document.querySelectorAll(".other-methods")) tellTheme(`${panel.id}-dark`);
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    shell: { link, query, input, examples, answers },
  });
})();
