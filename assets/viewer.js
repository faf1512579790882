/* All maps of a page as one viewer: linked cursors, full screen, a hint on the wheel, and the shortcuts under "?". */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const { around, make, makeText } = vitrine.lib;

  // ---- linked cursors --------------------------------------------------------------------------------

  const ratio = (heat) => heat.image.naturalHeight / heat.image.naturalWidth;

  /* The same place on another map: on pictures of one shape by share, on other maps of the same axes by cell. */
  function same(from, to, cell) {
    if (from.sprite || to.sprite || !to.place) return null;
    if (from.image && to.image) {
      if (Math.abs(ratio(from) - ratio(to)) > 0.01 * ratio(from)) return null;
      return cell.map((at, axis) => Math.floor(((at + 0.5) / from.cells[axis]) * to.cells[axis]));
    }
    if (from.image || to.image || !from.map || !to.map || String(from.cells) !== String(to.cells)) return null;
    return String(from.map.header.axes) === String(to.map.header.axes) ? cell : null;
  }

  document.addEventListener("vitrine-point", (event) => {
    const { heat, cell } = event.detail;
    for (const other of vitrine.heat.every)
      if (other !== heat && other.element.isConnected) other.echo(cell && same(heat, other, cell));
  });

  // ---- full screen, and the wheel ----------------------------------------------------------------------

  document.addEventListener("fullscreenchange", () => {
    for (const heat of vitrine.heat.every) {
      if (!heat.spec || !heat.element.isConnected) continue;
      heat.element.classList.toggle("heat-large", heat.large);
      if (!heat.map && !heat.image) continue;
      heat.controls();
      heat.draw();
    }
  });

  document.addEventListener(
    "wheel",
    (event) => {
      const canvas = around(event, ".heat-canvas");
      if (!canvas || event.ctrlKey || document.activeElement === canvas || document.fullscreenElement) return;
      const holder = canvas.closest(".heat");
      holder.classList.add("heat-asked"); // says that a click lets the wheel zoom
      window.clearTimeout(holder._asked);
      holder._asked = window.setTimeout(() => holder.classList.remove("heat-asked"), 1400);
    },
    { passive: true },
  );

  // ---- the shortcuts -------------------------------------------------------------------------------------

  const EVERYWHERE = [["?", "these shortcuts"], ["Ctrl + Z, Ctrl + Shift + Z", "undo and redo what was hidden in the input"]];
  const ON_A_MAP = [
    ["← ↑ → ↓", "read the next value; with Shift pan a long map"],
    ["+  −  0", "zoom in, out, all of it; the wheel zooms once the map was clicked"],
    ["drag", "pan a map that is zoomed in"],
    ["Shift + click or drag", "hide that square or region of the input"],
    ["Enter", "pick the place under the cursor, where a map lets you"],
    ["f", "full screen"],
    ["b", "picture and map side by side at the same size"],
    ["m", "the map alone"],
    ["[  ]", "less or more of the map over its picture"],
    [",  .", "hide less or more of the weak values"],
    ["l", "linear, square root or logarithmic scale"],
    ["c", "other colours, where the map has no sign"],
    ["t", "the outline of what is true, on or off"],
    ["Escape", "let go"],
  ];

  function table(dialog, title, rows) {
    makeText("h3", "", title, dialog);
    const list = make("dl", "shortcuts", dialog);
    for (const [keys, words] of rows) {
      const term = make("dt", "", list);
      makeText("kbd", "", keys, term);
      makeText("dd", "", words, list);
    }
  }

  function dialog() {
    const found = document.getElementById("vitrine-shortcuts");
    if (found) return found;
    const made = make("dialog", "shortcuts-dialog", document.body, { id: "vitrine-shortcuts", "aria-label": "Keyboard shortcuts" });
    makeText("h2", "", "Shortcuts", made);
    table(made, "Anywhere", EVERYWHERE);
    table(made, "On a map, once it has the focus", ON_A_MAP);
    const close = makeText("button", "btn btn-sm btn-primary", "Close", made);
    close.type = "button";
    close.addEventListener("click", () => made.close());
    made.addEventListener("click", (event) => {
      if (event.target === made) made.close(); // beside it
    });
    return made;
  }

  vitrine.shortcuts = () => {
    const shown = dialog();
    if (!shown.open) shown.showModal();
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || around(event, "input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    vitrine.shortcuts();
  });
})();
