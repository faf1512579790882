// The trajectory page's own part in the browser: which theme pictures are drawn for, and a tab that the model can fill.
(function () {
  "use strict";

  const DARK = "trajectory-dark";

  function tell() {
    if (!document.querySelector(".page.trajectory")) return;
    window.vitrine.lib.tellTheme(DARK);
  }
  window.addEventListener("vitrine-theme", tell);

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.trajectory = {
    // The theme when the page opens; and a model without words by layer opens at its paths.
    opened: function (card, tab) {
      tell();
      if (card && (tab === "lens" || tab === "curves") && card.offers.includes("residual")
          && !(card.offers.includes("unembedding") && card.offers.includes("next_token"))) {
        dash_clientside.tabs.open("trajectory", "path");
      }
      return dash_clientside.no_update;
    },
  };
})();
