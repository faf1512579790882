// Tabs (viz/components/tabs.py): a click or the arrow keys open one; its name goes into the store `<page>-tab`.
(function () {
  "use strict";
  const { around } = window.vitrine.lib;

  function open(tab, focus) {
    const { page, name } = tab.dataset;
    for (const other of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
      const here = other === tab;
      dash_clientside.set_props(other.id, {
        "aria-selected": String(here), tabIndex: here ? 0 : -1, className: here ? "nav-link active" : "nav-link",
      });
      dash_clientside.set_props(`${page}-panel-${other.dataset.name}`, { hidden: !here });
    }
    dash_clientside.set_props(`${page}-tab`, { data: name });
    if (focus) tab.focus();
  }

  const steps = {
    ArrowRight: (i, n) => (i + 1) % n, ArrowLeft: (i, n) => (i + n - 1) % n, Home: () => 0, End: (i, n) => n - 1,
  };

  document.addEventListener("click", (event) => {
    const tab = around(event, ".tabs [role=tab]");
    if (tab) open(tab, false);
  });
  document.addEventListener("keydown", (event) => {
    const tab = around(event, ".tabs [role=tab]");
    if (!tab || !(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const all = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    open(all[steps[event.key](all.indexOf(tab), all.length)], true);
  });

  // The server, or a link, opens a tab by writing its name into `<page>-asked`.
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tabs = {
    open: function (page, name) {
      const tab = document.getElementById(`${page}-tab-${name}`);
      if (tab) open(tab, false);
    },
  };
})();
