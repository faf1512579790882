/* The frame's part in the browser: the link, the theme, the keyboard, and the first look at an upload. */
(function () {
  "use strict";

  const MOST_BYTES = 32 * 1024 * 1024;
  const READS = /\.(png|jpe?g|webp|bmp|gif|tiff?)$/i;
  const CARRIED = ["model", "input", "text", "target", "sequence"];
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
  function link(view, pathname) {
    if (view && view.path === window.location.pathname) {
      const address = view.path + query(view.params);
      if (address !== window.location.pathname + window.location.search) {
        window.history.replaceState(window.history.state, "", address);
      }
      carried = first(view.params);
    } else if (window.location.search) {
      const given = Object.fromEntries(new URLSearchParams(window.location.search));
      if (given.model) carried = first(given);
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

  let templates = null;

  function theme(clicks, given) {
    templates = given || templates;
    const root = document.documentElement;
    let now = root.getAttribute("data-bs-theme") || "light";
    if (clicks) {
      now = now === "dark" ? "light" : "dark";
      root.setAttribute("data-bs-theme", now);
      try {
        window.localStorage.setItem("vitrine-theme", JSON.stringify(now));
      } catch (error) { /* private windows may not keep it */ }
      document.querySelectorAll(".js-plotly-plot").forEach(recolour);
      window.dispatchEvent(new CustomEvent("vitrine-theme", { detail: now }));
    }
    return now === "dark" ? "Light" : "Dark";
  }

  /* A plotly figure in the colours of the page. */
  function recolour(graph) {
    const now = document.documentElement.getAttribute("data-bs-theme");
    if (window.Plotly && templates && templates[now] && graph._fullLayout) {
      window.Plotly.relayout(graph, { template: templates[now] });
    }
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
    const box = event.target && event.target.closest && event.target.closest(".upload");
    if (!box) return;
    const files = event.type === "drop" ? event.dataTransfer && event.dataTransfer.files : event.target.files;
    const said = files && files.length ? refusal(files[0]) : "";
    const problem = (box.id || "").replace(/-upload$/, "-problem");
    if (!said) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.target.value !== undefined) event.target.value = "";
    window.dash_clientside.set_props(problem, { children: said });
  }
  document.addEventListener("drop", inspect, true);
  document.addEventListener("change", inspect, true);

  /* Ctrl+Enter (or Cmd+Enter) in a text applies it. */
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const area = event.target;
    if (!(area instanceof HTMLTextAreaElement) || !area.id.endsWith("-text")) return;
    const button = document.getElementById(area.id.replace(/-text$/, "-apply"));
    if (button) {
      event.preventDefault();
      window.setTimeout(() => button.click(), 0);
    }
  });

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

  /* The skip link moves the focus without touching the address, which holds the view. */
  document.addEventListener("click", function (event) {
    const skip = event.target.closest && event.target.closest(".skip-link");
    if (skip) {
      event.preventDefault();
      const content = document.getElementById("shell-content");
      if (content) content.focus();
    }
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    shell: { link, theme, query, examples, answers },
  });
})();
