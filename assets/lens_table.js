// The logit lens' table (viz/pages/trajectory/lens_table.py). Words are always written as text, never as markup.
(function () {
  "use strict";
  const { make, makeText } = window.vitrine.lib;

  function ends(value) { return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))); }

  function named(data) { return data.unit ? `${data.noun} (${data.unit})` : data.noun; }

  function legend(data) {
    const box = make("div", "lens-legend");
    makeText("span", "", `${named(data)}:`, box);
    makeText("span", "", ends(data.low), box);
    make("span", "lens-ramp", box).style.background = `linear-gradient(to right, ${data.ramp.join(",")})`;
    makeText("span", "", ends(data.high), box);
    return box;
  }

  function describe(place, data, row, column) {
    const cell = data.rows[row].cells[column], top = data.columns[column];
    place.replaceChildren();
    makeText("strong", "", `Layer ${data.rows[row].layer}, after “${top.token}” (position ${top.position})`, place);
    makeText("span", "lens-value", `${data.noun}: ${cell.value} ${data.unit}`, place);
    const list = make("ol", "lens-best", place);
    for (const [word, probability] of cell.best) {
      const item = make("li", "", list);
      makeText("span", "lens-word", word, item);
      make("span", "lens-bar", make("span", "lens-track", item)).style.width = `${Math.max(100 * probability, 0.5)}%`;
      makeText("span", "lens-number", probability < 0.0005 ? "< 0.001" : probability.toFixed(3), item);
    }
  }

  function draw(page, data) {
    const box = document.getElementById(`${page}-grid`), place = document.getElementById(`${page}-cell`);
    if (!box || !place) return;
    const had = box.contains(document.activeElement) && document.activeElement.dataset;
    const kept = had && had.row !== undefined ? [Number(had.row), Number(had.column)] : null;
    box.replaceChildren();
    place.replaceChildren();
    if (!data) return;
    const words = `Logit lens: the top word of each layer and position, coloured by ${data.noun}`;
    const grid = make("table", "lens-table", null, { role: "grid", "aria-label": words });
    const head = make("tr"), body = make("tbody");
    make("th", "lens-corner", head, { scope: "col" }).textContent = "layer";
    for (const column of data.columns) {
      const name = make("th", column.position === data.at ? "lens-at" : "", head, { scope: "col" });
      makeText("span", "", column.token, name);
      makeText("small", "", String(column.position), name);
    }
    const cells = data.rows.map((row, i) => {
      const line = make("tr");
      make("th", "", line, { scope: "row" }).textContent = row.layer;
      const made = row.cells.map((cell, j) => {
        const td = make("td", data.columns[j].position === data.at ? "lens-at" : "", line, {
          role: "gridcell", tabindex: -1, "data-row": i, "data-column": j,
          "aria-label": `layer ${row.layer}, after ${data.columns[j].token}: ${cell.best.map(([w, p]) => `${w} ${p.toFixed(2)}`).join(", ")}`,
        });
        td.textContent = cell.word;
        td.style.backgroundColor = cell.colour;
        td.style.color = cell.ink;
        return td;
      });
      body.append(line);
      return made;
    });
    const top = make("thead");
    top.append(head);
    grid.append(top, body);
    box.append(legend(data), grid);

    let here = [0, Math.max(data.columns.findIndex((c) => c.position === data.at), 0)];
    function move(row, column, focus) {
      cells[here[0]][here[1]].tabIndex = -1;
      here = [row, column];
      cells[row][column].tabIndex = 0;
      if (focus) cells[row][column].focus();
      describe(place, data, row, column);
    }
    function choose() {
      const cell = data.rows[here[0]].cells[here[1]];
      dash_clientside.set_props(`${page}-pick`, {
        data: { position: data.columns[here[1]].position, token: cell.id, word: cell.word, at: Date.now() },
      });
    }
    const where = (event) => {
      const td = event.target.closest("td");
      return td ? [Number(td.dataset.row), Number(td.dataset.column)] : null;
    };
    grid.addEventListener("mouseover", (event) => { const at = where(event); if (at) describe(place, data, ...at); });
    grid.addEventListener("mouseleave", () => describe(place, data, ...here));
    grid.addEventListener("focusin", (event) => { const at = where(event); if (at) move(...at, false); });
    grid.addEventListener("click", (event) => { const at = where(event); if (at) { move(...at, true); choose(); } });
    grid.addEventListener("keydown", (event) => {
      const [row, column] = here, last = [cells.length - 1, data.columns.length - 1];
      const to = {
        ArrowUp: [Math.max(row - 1, 0), column], ArrowDown: [Math.min(row + 1, last[0]), column],
        ArrowLeft: [row, Math.max(column - 1, 0)], ArrowRight: [row, Math.min(column + 1, last[1])],
        Home: [row, 0], End: [row, last[1]],
      }[event.key];
      if (to) { event.preventDefault(); move(...to, true); }
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
    });
    if (kept) move(Math.min(kept[0], cells.length - 1), Math.min(kept[1], data.columns.length - 1), true);
    else move(here[0], here[1], false);
    const chosen = grid.querySelector("th.lens-at");
    if (chosen && !kept) box.scrollLeft = Math.max(chosen.offsetLeft - box.clientWidth + chosen.offsetWidth + 8, 0);
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.lens_table = {
    draw: function (data) {
      const id = dash_clientside.callback_context.inputs_list[0].id; // `<page>-table`
      draw(id.slice(0, -"-table".length), data);
      return dash_clientside.no_update;
    },
  };
})();
