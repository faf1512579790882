/* The evidence page's own part in the browser: which theme figures are drawn for, the rectangle on the picture, and what
   is shown of the tile that is pointed at. */
(function () {
  "use strict";
  const { around, makeText, tellTheme } = window.vitrine.lib;

  const EDGES = ["left", "top", "width", "height"];

  function tell() {
    if (!document.querySelector(".page.evidence")) return;
    tellTheme("evidence-dark");
  }
  window.addEventListener("vitrine-theme", tell);

  const percent = (value) => Math.min(Math.max(Number(value) || 0, 0), 100);

  function style(left, top, width, height) {
    const [l, t] = [percent(left), percent(top)];
    const [w, h] = [Math.min(percent(width), 100 - l), Math.min(percent(height), 100 - t)];
    return { left: `${l}%`, top: `${t}%`, width: `${w}%`, height: `${h}%`, display: w && h ? "block" : "none" };
  }

  /* Dragging draws the rectangle at once; its numbers are set when the button is let go. */
  let start = null;

  function place(event, picture) {
    const box = picture.getBoundingClientRect();
    const within = (value, from, size) => Math.round(percent((100 * (value - from)) / size));
    return [within(event.clientX, box.left, box.width), within(event.clientY, box.top, box.height)];
  }

  function between(one, other) {
    const [left, top] = [0, 1].map((i) => Math.min(one[i], other[i]));
    return [left, top, Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1])];
  }

  document.addEventListener("pointerdown", (event) => {
    const picture = around(event, "#evidence-region-picture");
    if (!picture || event.button !== 0) return;
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    start = { picture, at: place(event, picture) };
  });
  document.addEventListener("pointermove", (event) => {
    if (!start) return;
    const drawn = document.getElementById("evidence-region-box");
    Object.assign(drawn.style, style(...between(start.at, place(event, start.picture))));
  });
  document.addEventListener("pointerup", (event) => {
    if (!start) return;
    const box = between(start.at, place(event, start.picture));
    start = null;
    if (!box[2] || !box[3]) return; // a click draws nothing
    EDGES.forEach((edge, i) => window.dash_clientside.set_props(`evidence-box-${edge}`, { value: box[i] }));
  });
  document.addEventListener("pointercancel", () => (start = null));

  // ---- the wall of maps: details, curves and agreement of the tile pointed at ---------------------------

  let pointed = ""; // the title of its method
  let timer = 0;

  const tiles = () => Array.from(document.querySelectorAll(".audit-tile"));
  const graph = (holder) => document.querySelector(`#evidence-${holder} .js-plotly-plot`);

  /* The details of a tile stand in the pane beside the wall; before any was pointed at, those of the first. */
  function detail() {
    const pane = document.getElementById("evidence-pane");
    if (!pane) return;
    const all = tiles();
    const tile = all.find((one) => one.dataset.title === pointed) || all[0];
    for (const one of all) one.classList.toggle("pointed", one === tile && Boolean(pointed));
    if (!tile) return pane.replaceChildren();
    const head = makeText("h3", "", `${tile.dataset.title} `);
    const seal = tile.querySelector(".seal");
    if (seal) head.append(seal.cloneNode(true));
    const more = tile.querySelector(".audit-more").cloneNode(true);
    more.className = "audit-told";
    pane.replaceChildren(head, more);
  }

  /* The curve of the method stands out, and is there where it was not chosen; without one all are as they were. */
  function curve() {
    const drawn = graph("curves");
    if (!drawn || !drawn.data || !window.Plotly) return;
    const own = (trace) => Boolean(pointed) && trace.legendgroup === pointed;
    const some = drawn.data.some(own);
    const chosen = (trace) => trace.legendgroup === "random" || Boolean(trace.meta && trace.meta.chosen);
    window.Plotly.restyle(drawn, {
      opacity: drawn.data.map((trace) => (!some || own(trace) || trace.legendgroup === "random" ? 1 : 0.18)),
      visible: drawn.data.map((trace) => own(trace) || chosen(trace)),
    });
  }

  /* Its row and its column are framed among the agreements. */
  function frame() {
    const drawn = graph("agreement-shown");
    if (!drawn || !drawn.data || !window.Plotly) return;
    const tile = tiles().find((one) => one.dataset.title === pointed);
    const at = tile && tile.dataset.place !== undefined ? Number(tile.dataset.place) : -1;
    const many = drawn.data[0].y.length;
    const line = { color: getComputedStyle(drawn).color, width: 2 };
    const box = (x0, x1, y0, y1) => ({ type: "rect", x0, x1, y0, y1, line, layer: "above" });
    const shapes = at < 0 ? [] : [box(-0.5, many - 0.5, at - 0.5, at + 0.5), box(at - 0.5, at + 0.5, -0.5, many - 0.5)];
    window.Plotly.relayout(drawn, { shapes });
  }

  function point(title) {
    if (title === pointed) return;
    pointed = title;
    detail();
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      curve();
      frame();
    }, 90);
  }

  for (const kind of ["pointerover", "focusin"])
    document.addEventListener(kind, (event) => {
      const tile = around(event, ".audit-tile");
      if (tile) point(tile.dataset.title);
    });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && pointed && document.querySelector(".audit-wall")) point("");
  });

  /* Tiles and figures that come later. */
  let due = 0;
  new MutationObserver((changes) => {
    const wall = document.getElementById("evidence-table");
    if (!wall) {
      pointed = "";
      return;
    }
    if (due || !changes.some((change) => wall.contains(change.target))) return;
    due = window.requestAnimationFrame(() => {
      due = 0;
      detail();
    });
  }).observe(document.documentElement, { subtree: true, childList: true });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    evidence: {
      opened: function () {
        tell();
        return window.dash_clientside.no_update;
      },
      box: style,
    },
  });
})();
