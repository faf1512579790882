/* The evidence page's own part in the browser: which theme figures are drawn for, and the rectangle on the picture. */
(function () {
  "use strict";
  const { around, isDark } = window.vitrine.lib;

  const EDGES = ["left", "top", "width", "height"];

  function tell() {
    if (!document.querySelector(".page.evidence")) return;
    window.dash_clientside.set_props("evidence-dark", { data: isDark() });
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
