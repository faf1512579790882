/* The data page's own part in the browser: cells of the table, its filters, and the first look at what is uploaded. */
(function () {
  "use strict";

  const MOST_BYTES = 34 * 1024 * 1024; // what is sent grows by a third
  const READS = /\.(csv|tsv|tab|txt|zip|png|jpe?g|webp|bmp|gif|tiff?)$/i;
  const make = (...args) => window.React.createElement(...args);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});

  const address = (path, params) => `${path}?${new URLSearchParams(params)}`;

  cells.VitrinePicture = (p) =>
    p.value && p.data.predicted !== null ? make("img", { src: `/inputs/${p.value}`, alt: `Row ${p.data.n}`, loading: "lazy", className: "cell-picture" }) : null;
  cells.VitrineMap = (p) =>
    p.value ? make("img", { src: `/tables/${p.value}/map`, alt: `Map of row ${p.data.n}`, loading: "lazy", className: "cell-picture" }) : null;
  cells.VitrineShare = (p) => {
    if (p.value === null || p.value === undefined) return null;
    return p.value >= 0.9995 && p.value < 1 ? "> 99.9 %" : `${(100 * p.value).toFixed(1)} %`;
  };
  cells.VitrineOutcome = (p) =>
    p.value ? make("span", { className: p.value === "right" ? "mark-good" : "mark-bad" }, p.value === "right" ? "✓ right" : "✗ wrong") : null;
  cells.VitrineDoors = (p) => {
    if (!p.data.digest) return null;
    const links = p.doors.map(([path, title]) => {
      const params = { model: p.model, input: p.data.digest };
      if (p.method && path === "/attribution") params.methods = p.method;
      return make("a", { key: path, href: address(path, params), "aria-label": `${title} of row ${p.data.n}` }, title);
    });
    return make("span", { className: "cell-doors" }, links);
  };

  const ANY = "·any";

  /* The same as table_view.matches. */
  function matches(row, label, predicted, outcome, words) {
    if (label !== ANY && row.label !== label) return false;
    if (predicted !== ANY && row.predicted !== predicted) return false;
    if ((outcome === "right" || outcome === "wrong") && row.outcome !== outcome) return false;
    if (outcome === "failed" && !row.problem) return false;
    if (outcome === "unlabelled" && row.label) return false;
    if (!words.length) return true;
    const said = [row.name, row.text, row.label, row.predicted, row.problem].map((x) => x || "").join(" ").toLowerCase();
    return words.every((word) => said.includes(word));
  }

  function filter(rows, label, predicted, outcome, find, swept) {
    const words = (find || "").toLowerCase().split(/\s+/).filter(Boolean);
    const kept = (rows || []).filter((row) => matches(row, label, predicted, outcome, words));
    const found = swept ? kept.map((row) => ({ ...row, swept: swept[row.n - 1] || null })) : kept;
    const said = rows ? `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows` : "";
    return [found, said];
  }

  /* What a click on the matrix, or on “Show all”, sets: label, predicted, outcome, find, the headers' filters. */
  function cell(click, _all, figure) {
    const no = window.dash_clientside.no_update;
    const by = (window.dash_clientside.callback_context.triggered[0] || {}).prop_id || "";
    if (by.startsWith("data-all")) return [ANY, ANY, ANY, "", {}, null];
    const point = click && click.points && click.points[0];
    const named = point && figure && (figure.data[0].customdata[point.y] || [])[point.x]; // Dash gives none of a heat map
    return named ? [named[0], named[1], ANY, no, {}, null] : [no, no, no, no, no, no];
  }

  function tell() {
    if (!document.querySelector(".page.data")) return;
    window.vitrine.lib.tellTheme("data-dark");
  }
  window.addEventListener("vitrine-theme", tell);

  const opened = () => tell();

  function refusal(files) {
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > MOST_BYTES) {
      return `These files have ${Math.ceil(size / 1048576)} MB; 34 MB go through the browser at a time. Give the path of a folder or zip instead.`;
    }
    const strange = files.find((file) => !READS.test(file.name));
    return strange ? `“${strange.name}” cannot be read here; give a CSV or TSV of texts, images, or a zip of either.` : "";
  }

  function inspect(event) {
    const box = window.vitrine.lib.around(event, "#data-files");
    if (!box) return;
    const given = event.type === "drop" ? event.dataTransfer && event.dataTransfer.files : event.target.files;
    const said = given && given.length ? refusal(Array.from(given)) : "";
    if (!said) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.target.value !== undefined) event.target.value = "";
    window.dash_clientside.set_props("data-problem", { children: said });
  }
  document.addEventListener("drop", inspect, true);
  document.addEventListener("change", inspect, true);

  new MutationObserver(function () {
    for (const input of document.querySelectorAll("#data-files input[type=file]:not([aria-label='Choose files'])")) {
      input.setAttribute("aria-label", "Choose files");
    }
  }).observe(document.documentElement, { subtree: true, childList: true });

  window.dash_clientside = Object.assign({}, window.dash_clientside, { data: { filter, cell, opened } });
})();
