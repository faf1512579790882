/* The causal page in the browser: grids of effects that fill, heads that are picked, tokens that are chosen. */
(function () {
  "use strict";
  const { around, makeText: make, tellTheme } = window.vitrine.lib;
  const DARK = "causal-dark";
  const shown = {};   // what each grid was drawn from
  const at = {};      // the cell of each grid that is in the tab order

  const number = (value) => (value === null ? "not yet computed" : value.toFixed(3).replace("-", "−"));

  function spot(data, row, column) {
    const name = data.across === "position" ? `“${data.columns[column]}” (${column})` : data.columns[column];
    return `layer ${data.rows[row]}, ${data.noun} ${name}`;
  }

  function words(data, row, column) {
    const value = data.values[row][column];
    return `${spot(data, row, column)}: ${number(value)}${value === null ? "" : ` ${data.unit}`}`;
  }

  /* The cell that stands for (row, column), wherever it is. */
  const cellOf = (host, row, column) => host.querySelector(`[data-row="${row}"][data-column="${column}"]`);

  function blank(tag, row, column) {
    const node = make(tag, "effect");
    node.setAttribute("role", "gridcell");
    node.tabIndex = -1;
    node.dataset.row = row;
    node.dataset.column = column;
    return node;
  }

  function table(host, data) {
    const node = make("table", data.columns.length > 24 ? "effects-table narrow" : "effects-table");
    node.setAttribute("role", "grid");
    node.setAttribute("aria-label", host.dataset.words);
    const head = node.createTHead().insertRow();
    head.appendChild(make("td", "effects-corner", `layer ↓ ${data.noun} →`));
    data.columns.forEach((name, c) => {
      const th = make("th");
      th.scope = "col";
      const upright = data.across === "position" ? "effects-token" : "";
      th.appendChild(make("span", upright, name));
      if (data.other && data.other[c]) {
        th.classList.add("differs");
        th.title = `corrupted: ${data.other[c]}`;
        th.appendChild(make("small", upright, data.other[c]));
      }
      head.appendChild(th);
    });
    const body = node.createTBody();
    data.rows.forEach((name, r) => {
      const line = body.insertRow();
      const th = make("th", "", name);
      th.scope = "row";
      line.appendChild(th);
      data.columns.forEach((_, c) => line.appendChild(blank("td", r, c)));
    });
    const scroll = make("div", "effects-scroll");
    scroll.appendChild(node);
    host.appendChild(scroll);
  }

  /* One picture a layer, its patches over it; tokens that are no patch stand below. */
  function films(host, data) {
    const [high, wide] = data.patches.grid;
    const box = make("div", "effects-films");
    data.rows.forEach((name, r) => {
      const figure = make("figure", "effects-film");
      figure.appendChild(make("figcaption", "", `layer ${name}`));
      const film = make("div", "film");
      film.setAttribute("role", "grid");
      film.setAttribute("aria-label", `${host.dataset.words}, layer ${name}`);
      const image = make("img");
      image.src = data.image;
      image.alt = "";
      film.appendChild(image);
      for (let y = 0; y < high; y++) {
        const line = make("div", "film-row");
        line.setAttribute("role", "row");
        for (let x = 0; x < wide; x++) line.appendChild(blank("div", r, data.patches.first + y * wide + x));
        film.appendChild(line);
      }
      const specials = make("div", "film-special");
      specials.setAttribute("role", "row");
      for (let c = 0; c < data.patches.first; c++) {
        const cell = blank("div", r, c);
        cell.dataset.named = data.columns[c];
        specials.appendChild(cell);
      }
      if (data.patches.first) film.appendChild(specials);
      figure.appendChild(film);
      box.appendChild(figure);
    });
    host.appendChild(box);
  }

  function paint(host, data, picks) {
    const most = Math.max(Math.abs(data.ends[0]), Math.abs(data.ends[1]));
    const close = data.columns.length <= 24;
    for (const cell of host.querySelectorAll(".effect")) {
      const r = Number(cell.dataset.row), c = Number(cell.dataset.column), value = data.values[r][c];
      const film = data.image && !cell.dataset.named;
      cell.classList.toggle("unknown", value === null);
      if (film) {
        const alpha = value === null ? 0 : Math.round(230 * Math.min(Math.abs(value) / most, 1)).toString(16).padStart(2, "0");
        cell.style.backgroundColor = value === null ? "" : data.colours[r][c] + alpha;
      } else {
        cell.style.backgroundColor = value === null ? "" : data.colours[r][c];
        cell.style.color = value === null ? "" : data.inks[r][c];
        const text = value === null ? "" : value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");
        cell.textContent = cell.dataset.named ? `${cell.dataset.named} ${text}` : close ? text : "";
      }
      const seen = cell.textContent; // what is seen must be in the name
      cell.setAttribute("aria-label", seen ? `${seen}, ${spot(data, r, c)}` : words(data, r, c));
      if (picks && data.across === "head") {
        const on = picks.includes(`${data.rows[r]}.${data.columns[c]}`);
        cell.setAttribute("aria-selected", String(on));
        cell.classList.toggle("picked", on);
      }
    }
  }

  function scale(host, data) {
    const place = document.getElementById(`${host.id}-scale`);
    place.replaceChildren();
    const bar = make("span", "legend-bar");
    bar.style.background = `linear-gradient(90deg, ${data.ramp.join(", ")})`;
    place.append(make("span", "legend-end", number(data.ends[0])), bar, make("span", "legend-end", number(data.ends[1])),
      make("span", "legend-unit", data.unit));
  }

  function say(host, lines) {
    const place = document.getElementById(`${host.id}-said`);
    place.replaceChildren(...(lines || []).filter(Boolean).map((line) => make("div", "", line)));
  }

  function draw(data, picks, id) {
    const host = document.getElementById(id.replace(/-scale$/, ""));
    if (!host) return dash_clientside.no_update;
    const before = shown[host.id];
    const same = before && data && before.asked && before.asked === data.asked;
    if (same && data.stopped) {
      const cells = before.values.flat();
      say(host, [`Cancelled: what was computed stays, ${cells.filter((v) => v !== null).length} of ${cells.length} cells.`]);
      return "stopped";
    }
    if (same && data.filling && !before.filling) data = before; // an answer that came late
    const blankly = !data || data.empty !== undefined || data.stopped;
    shown[host.id] = blankly ? null : { ...data, picks: picks || [] };
    say(host, !data ? [] : data.stopped ? ["Cancelled."] : data.empty ? [data.empty] : data.said);
    if (blankly) {
      host.replaceChildren();
      document.getElementById(id).replaceChildren();
      document.getElementById(`${host.id}-words`).textContent = "";
      return "0";
    }
    const shape = (d) => JSON.stringify([d.rows, d.columns, d.other, d.image, d.patches, d.across]);
    if (!before || !host.firstChild || shape(before) !== shape(data)) {
      host.replaceChildren();
      (data.image ? films : table)(host, data);
      const first = host.querySelector(".effect");
      at[host.id] = first ? [Number(first.dataset.row), Number(first.dataset.column)] : [0, 0];
      for (const row of host.querySelectorAll("[role=grid]")) row.querySelector(".effect").tabIndex = 0;
    }
    paint(host, data, host.dataset.picks ? picks || [] : null);
    scale(host, data);
    return data.filling ? "filling" : "whole";
  }

  const inside = (event) => around(event, ".effects .effect");

  function look(cell) {
    const host = cell.closest(".effects"), data = shown[host.id];
    if (!data) return;
    const r = Number(cell.dataset.row), c = Number(cell.dataset.column);
    let told = words(data, r, c);
    if (host.dataset.picks && data.across === "head") {
      const on = data.picks.includes(`${data.rows[r]}.${data.columns[c]}`);
      told += on ? ` · ${host.dataset.pressed}` : "";
    }
    document.getElementById(`${host.id}-words`).textContent = told;
  }

  function pick(cell) {
    const host = cell.closest(".effects"), data = shown[host.id];
    if (!data || !host.dataset.picks || data.across !== "head") return;
    const name = `${data.rows[Number(cell.dataset.row)]}.${data.columns[Number(cell.dataset.column)]}`;
    const after = data.picks.includes(name) ? data.picks.filter((p) => p !== name) : [...data.picks, name];
    dash_clientside.set_props(host.dataset.picks, { data: after });
  }

  document.addEventListener("mouseover", (event) => { const cell = inside(event); if (cell) look(cell); });
  document.addEventListener("focusin", (event) => { const cell = inside(event); if (cell) look(cell); });
  document.addEventListener("click", (event) => {
    const cell = inside(event);
    if (cell) { pick(cell); window.setTimeout(() => look(cell), 60); }
  });
  document.addEventListener("keydown", (event) => {
    const cell = inside(event);
    if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
    const host = cell.closest(".effects"), data = shown[host.id];
    let r = Number(cell.dataset.row), c = Number(cell.dataset.column);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      pick(cell);
      window.setTimeout(() => look(cell), 60);
      return;
    }
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [dy, dx] = steps[event.key];
    if (data.image) c += dx + dy * data.patches.grid[1];  // a film's rows are rows of patches
    else { r += dy; c += dx; }
    const next = cellOf(host, r, c);
    if (!next || (data.image && r !== Number(cell.dataset.row))) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  /* Tokens and patches of the clean input: a click, or Enter, chooses them for corruptions and for noise. */
  document.addEventListener("click", (event) => {
    const button = around(event, ".opposite [data-token]");
    if (!button) return;
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    const chosen = [...document.querySelectorAll(".opposite [data-token][aria-pressed=true]")];
    dash_clientside.set_props("causal-span", { data: chosen.map((b) => Number(b.dataset.token)) });
  });

  function tell() {
    if (!document.querySelector(".page.causal")) return;
    tellTheme(DARK);
  }
  window.addEventListener("vitrine-theme", tell);

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.causal = {
    draw,
    opened() { tell(); return dash_clientside.no_update; },
    noise(clicks, method) {
      if (!clicks || !method) return dash_clientside.no_update;
      dash_clientside.tabs.open("causal", "places");
      return method;
    },
    pressed(span) {
      for (const button of document.querySelectorAll(".opposite [data-token]")) {
        button.setAttribute("aria-pressed", String((span || []).includes(Number(button.dataset.token))));
      }
      const count = (span || []).length;
      return count ? String(count) : "none, so a button takes what suits it";
    },
  };
})();
