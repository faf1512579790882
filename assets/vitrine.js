/* Colour tables, saving pictures, and the function that Dash calls by name. No framework, no eval. */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  let fetched = null;

  function prefix() {
    const config = document.getElementById("_dash-config");
    return config ? JSON.parse(config.textContent).requests_pathname_prefix || "/" : "/";
  }
  vitrine.prefix = prefix;

  /* The colour tables and plotly templates of viz/theme.py, fetched once. */
  vitrine.data = function () {
    fetched =
      fetched ||
      fetch(`${prefix()}theme.json`, { credentials: "same-origin" }).then((answer) => {
        if (!answer.ok) throw new Error("the colour tables could not be fetched");
        return answer.json();
      });
    fetched.catch(() => (fetched = null));
    return fetched;
  };

  // ---- saving and copying ----------------------------------------------------------------------

  /* Saves the plotly figure inside the element `id` as "png" or "svg". */
  vitrine.saveGraph = function (id, kind, name) {
    const holder = document.getElementById(id);
    const graph = holder && (holder.matches(".js-plotly-plot") ? holder : holder.querySelector(".js-plotly-plot"));
    if (!graph || !window.Plotly) return Promise.resolve(false);
    const size = { width: graph.clientWidth || 900, height: graph.clientHeight || 560, scale: kind === "png" ? 2 : 1 };
    return window.Plotly.downloadImage(graph, { format: kind, filename: name || `vitrine-${id}`, ...size }).then(() => true);
  };

  /* Saves the canvas heat map in the element `id`. */
  vitrine.saveHeat = function (id, kind) {
    const element = document.getElementById(id);
    return element && element._heat ? element._heat.save(kind).then(() => true) : Promise.resolve(false);
  };

  vitrine.copy = async function (text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea"); // pages served over plain http have no clipboard
      area.value = text;
      area.className = "visually-hidden";
      document.body.appendChild(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };

  // ---- what Dash calls -------------------------------------------------------------------------

  const dash = (window.dash_clientside = window.dash_clientside || {});
  dash.vitrine = Object.assign(dash.vitrine || {}, {
    draw_heat(spec, id) {
      const name = typeof id === "string" ? id : JSON.stringify(id, Object.keys(id).sort());
      const element = document.getElementById(name);
      if (element) vitrine.heat.mount(element, spec);
    },
  });
})();
