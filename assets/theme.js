/* Light or dark: the button in the header switches, this browser remembers, and pictures are told by the event
   `vitrine-theme`. The first choice is made before anything is painted (viz/components/shell.py). */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const root = document.documentElement;
  const other = (theme) => (theme === "dark" ? "light" : "dark");

  /* The server draws the first pictures of a page for the theme that this cookie names (viz/server/page_app.py). */
  function remembered(theme) {
    document.cookie = `vitrine-theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  }

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
      remembered(theme);
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

  /* The first page in a new browser is drawn for the light theme. */
  remembered(vitrine.theme.current());
  if (vitrine.drawnFor && vitrine.drawnFor !== vitrine.theme.current()) {
    const drawn = new MutationObserver(() => {
      if (!document.getElementById("shell-content")) return;
      drawn.disconnect();
      window.dispatchEvent(new CustomEvent("vitrine-theme", { detail: vitrine.theme.current() }));
    });
    drawn.observe(document.documentElement, { childList: true, subtree: true });
  }

  document.addEventListener("click", (event) => {
    if (vitrine.lib.around(event, "#shell-theme-button")) vitrine.theme.set(other(vitrine.theme.current()));
  });
})();
