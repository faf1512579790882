/* Light or dark: the button in the header switches, this browser remembers, and pictures are told by the event
   `vitrine-theme`. The first choice is made before anything is painted (viz/components/shell.py). */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const root = document.documentElement;
  const other = (theme) => (theme === "dark" ? "light" : "dark");

  function named(theme) {
    const words = other(theme);
    if (!document.getElementById("shell-theme-button")) return;
    window.dash_clientside.set_props("shell-theme-button", {
      children: words[0].toUpperCase() + words.slice(1), "aria-label": `Switch to the ${words} theme`,
    });
  }

  vitrine.theme = {
    current: () => root.getAttribute("data-bs-theme") || "light",

    /* Shows the page in `theme`; `keep` remembers it and tells the pictures. */
    set(theme, keep = true) {
      root.setAttribute("data-bs-theme", theme);
      named(theme);
      if (!keep) return;
      try {
        window.localStorage.setItem("shell-theme", JSON.stringify(theme));
      } catch { /* a private window may not keep it */ }
      vitrine.data().then(({ templates }) => {
        for (const graph of document.querySelectorAll(".js-plotly-plot")) {
          if (window.Plotly && graph._fullLayout) window.Plotly.relayout(graph, { template: templates[theme] });
        }
      }, () => null);
      window.dispatchEvent(new CustomEvent("vitrine-theme", { detail: theme }));
    },
  };

  document.addEventListener("click", (event) => {
    if (vitrine.lib.around(event, "#shell-theme-button")) vitrine.theme.set(other(vitrine.theme.current()));
  });
})();
