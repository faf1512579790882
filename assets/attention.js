/* The attention page in the browser: the layer × head grid, the lines between tokens, and the maps over an image.
   Everything that a pointer or a key does here is drawn from bytes that are already here, without a round trip. */
(function () {
  "use strict";
  const { around, bytes, dequantise, fetched, make, makeText, tellTheme, unpack } = window.vitrine.lib;

  const held = new Map(); // address -> promise of its bytes, the latest few

  /* A map of viz/server/maps.py: its header and its values as numbers. */
  function map(address) {
    if (!held.has(address)) {
      const asked = fetched(address).then((answer) => answer.arrayBuffer()).then(read);
      asked.catch(() => held.delete(address));
      held.set(address, asked);
      if (held.size > 24) held.delete(held.keys().next().value);
    }
    return held.get(address);
  }

  function read(buffer) {
    const { header, codes } = unpack(buffer);
    const meant = dequantise(header);
    const values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) values[i] = meant[codes[i]];
    return { header: header, values: values };
  }

  const el = (id) => document.getElementById(id);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--v-${name}`).trim() || "#888";
  const short = (value) => value.toFixed(2); // eight bits hold no more: the largest error is 0.004

  function rgb(table, share) {
    const i = 3 * Math.max(0, Math.min(255, Math.round(share * 255)));
    return [table[i], table[i + 1], table[i + 2]];
  }

  const css = (c) => `rgb(${c[0]},${c[1]},${c[2]})`;
  const inkOn = (c) => (0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2] > 140 ? "#000000" : "#ffffff");

  /* A canvas of this many CSS pixels, sharp on any screen. */
  function sized(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  /* The colour bar with its ends and its unit. */
  function legend(id, table, low, high, words) {
    const box = el(id);
    if (!box) return;
    box.replaceChildren();
    if (!table) return;
    const bar = make("canvas");
    const pen = sized(bar, 150, 10);
    for (let x = 0; x < 150; x++) {
      pen.fillStyle = css(rgb(table, x / 149));
      pen.fillRect(x, 0, 1.5, 10);
    }
    const told = (text, name) => makeText("span", name, text);
    box.append(told(low), bar, told(high), told(words, "legend-words"));
  }

  // ---------------------------------------------------------------- layer × head

  const MAPS = "thumbnails";
  const grid = { data: null, table: null, statistic: MAPS, pick: null, cursor: [0, 0], sprite: null, cell: 40, least: 0, sorted: false, order: null };
  const LEFT = 30, TOP = 20, GAP = 8;

  function drawGrid() {
    const canvas = el("attention-grid");
    if (!canvas) return;
    const { data, statistic } = grid;
    if (!data) {
      sized(canvas, 1, 1);
      legend("attention-grid-scale", null);
      return;
    }
    const rows = data.layers.length, heads = data.heads.length, columns = heads + (data.mean ? 1 : 0);
    const room = canvas.parentElement.clientWidth - LEFT - GAP - 4;
    const cell = Math.max(12, Math.min(84, Math.floor(room / columns), Math.max(14, Math.floor(560 / rows))));
    grid.cell = cell;
    const pen = sized(canvas, LEFT + columns * cell + GAP + 4, TOP + rows * cell + 4);
    pen.imageSmoothingEnabled = false;
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    const every = cell >= 18 ? 1 : cell >= 14 ? 2 : 4;
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = colour("muted");
    tools(data, statistic);
    grid.order = grid.sorted ? data.layers.map((_, l) => ordered(statistic, l)) : null;
    const title = (name, h) => (grid.order ? (h === 0 ? "most" : h === heads - 1 ? "least" : "") : name);
    data.heads.forEach((name, h) => h % every === 0 && pen.fillText(title(name, h), left(h) + cell / 2, TOP / 2));
    if (data.mean) pen.fillText("mean", left(heads) + cell / 2, TOP / 2, cell);
    data.layers.forEach((name, l) => l % every === 0 && pen.fillText(name, LEFT / 2, TOP + (l + 0.5) * cell));
    for (let l = 0; l < rows; l++) for (let h = 0; h < columns; h++) drawCell(pen, l, h, cell, statistic);
    const at = column(grid.pick);
    if (at !== null) outline(pen, grid.pick.layer, slot(grid.pick.layer, at), cell, false);
    if (document.activeElement === canvas) outline(pen, grid.cursor[0], slot(...grid.cursor), cell, true);
    document.querySelectorAll(".rank-button").forEach((button) => button.classList.toggle("chosen",
      Boolean(grid.pick) && Number(button.dataset.layer) === grid.pick.layer && button.dataset.head === String(grid.pick.head)));
    const shown = data.statistics[statistic];
    if (shown) legend("attention-grid-scale", grid.table, shown.least, shown.most, shown.words);
    else if (grid.sprite) legend("attention-grid-scale", grid.table, "0", short(grid.sprite.most), grid.sprite.words);
  }

  const left = (h) => LEFT + h * grid.cell + (h >= grid.data.heads.length ? GAP : 0);

  function column(pick) {
    if (!pick || !grid.data || pick.layer === undefined || pick.layer >= grid.data.layers.length) return null;
    if (pick.head === "mean") return grid.data.mean ? grid.data.heads.length : null;
    return pick.head < grid.data.heads.length ? pick.head : null;
  }

  /* The number of a cell; the column after the last head holds the mean over the layer. */
  function valueAt(name, l, h) {
    const values = grid.data.statistics[name].values[l];
    if (h < values.length) return values[h];
    const kept = values.filter((v) => v !== null);
    return kept.length ? kept.reduce((a, b) => a + b, 0) / kept.length : null;
  }

  // ---- which heads of the grid are looked for: those of most, and in which order

  /* The heads of a layer by what the grid is coloured by, the highest first. */
  function ordered(statistic, l) {
    const all = grid.data.heads.map((_, h) => h);
    return all.sort((a, b) => (valueAt(statistic, l, b) ?? -Infinity) - (valueAt(statistic, l, a) ?? -Infinity));
  }

  /* Where a head stands in its layer's row, and which head stands at a place. */
  const slot = (l, h) => (grid.order && h < grid.data.heads.length ? grid.order[l].indexOf(h) : h);
  const headAt = (l, place) => (grid.order && place < grid.data.heads.length ? grid.order[l][place] : place);

  /* Whether a head is below what is looked for. */
  function dimmed(statistic, l, h) {
    const shown = grid.data.statistics[statistic];
    if (!shown || !grid.least) return false;
    const value = valueAt(statistic, l, h);
    return value === null || value < shown.low + grid.least * (shown.high - shown.low);
  }

  /* The two fields above the grid; the maps themselves have no number to go by. */
  function tools(data, statistic) {
    const box = el("attention-grid-tools");
    if (!box) return;
    const shown = data.statistics[statistic];
    box.hidden = !shown;
    if (!shown) {
      grid.least = 0;
      grid.sorted = false;
      return;
    }
    if (!box.children.length) {
      const least = make("label", "heat-field", box);
      makeText("span", "", "Only heads from", least);
      const range = make("input", "form-range", least, { type: "range", min: 0, max: 1, step: 0.01, name: "least" });
      make("output", "", least);
      range.addEventListener("input", () => {
        grid.least = Number(range.value);
        drawGrid();
      });
      const sort = make("label", "heat-field", box);
      const tick = make("input", "form-check-input", sort, { type: "checkbox", name: "sorted" });
      makeText("span", "", "Sort each layer", sort);
      tick.addEventListener("change", () => {
        grid.sorted = tick.checked;
        drawGrid();
      });
    }
    box.querySelector("[name=least]").value = grid.least;
    box.querySelector("[name=sorted]").checked = grid.sorted;
    const cells = data.layers.flatMap((_, l) => data.heads.map((__, h) => [l, h]));
    const kept = cells.filter(([l, h]) => !dimmed(statistic, l, h)).length;
    box.querySelector("output").textContent = `${short(shown.low + grid.least * (shown.high - shown.low))}: ${kept} of ${cells.length}`;
  }

  function drawCell(pen, l, place, cell, statistic) {
    const h = headAt(l, place);
    pen.globalAlpha = dimmed(statistic, l, h) ? 0.12 : 1;
    drawHead(pen, l, h, left(place), cell, statistic);
    pen.globalAlpha = 1;
    if (!grid.order || place >= grid.data.heads.length || cell < 18) return;
    pen.fillStyle = colour("ink"); // which head stands here
    pen.fillRect(left(place), TOP + l * cell, 15, 13);
    pen.fillStyle = colour("surface");
    pen.fillText(grid.data.heads[h], left(place) + 7, TOP + l * cell + 7);
  }

  function drawHead(pen, l, h, x, cell, statistic) {
    const y = TOP + l * cell, inner = cell - (cell > 20 ? 2 : 1);
    if (statistic === MAPS) {
      if (!grid.sprite) return;
      const s = grid.sprite.side;
      pen.drawImage(grid.sprite.canvas, h * s, l * s, s, s, x, y, inner, inner);
      return;
    }
    const shown = grid.data.statistics[statistic];
    if (!shown) return;
    const value = valueAt(statistic, l, h);
    if (value === null) {
      pen.fillStyle = colour("raised");
      pen.fillRect(x, y, inner, inner);
      pen.fillStyle = colour("muted");
      pen.fillText("–", x + inner / 2, y + inner / 2);
      return;
    }
    const c = rgb(grid.table, (value - shown.low) / (shown.high - shown.low || 1));
    pen.fillStyle = css(c);
    pen.fillRect(x, y, inner, inner);
    if (cell >= 32) {
      pen.fillStyle = inkOn(c);
      pen.fillText(Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2), x + inner / 2, y + inner / 2);
    }
  }

  function outline(pen, l, h, cell, dashed) {
    const x = left(h), y = TOP + l * cell, inner = cell - (cell > 20 ? 2 : 1);
    pen.save();
    pen.lineWidth = 6;
    pen.strokeStyle = colour("surface");
    pen.strokeRect(x - 1, y - 1, inner + 2, inner + 2);
    pen.lineWidth = 3;
    pen.strokeStyle = dashed ? colour("ink") : colour("accent");
    if (dashed) pen.setLineDash([5, 3]);
    pen.strokeRect(x - 1, y - 1, inner + 2, inner + 2);
    pen.restore();
  }

  /* All heads' small maps side by side, coloured once: by the square root, so that small weights are seen too. */
  function sprite(data, found, hidden) {
    const { header, values } = found;
    const [L, H, side] = header.shape, all = H + (data.mean ? 1 : 0);
    const canvas = make("canvas");
    canvas.width = all * side;
    canvas.height = L * side;
    const image = new ImageData(all * side, L * side);
    const set = (l, i, h, j, value) => {
      const c = rgb(grid.table, Math.sqrt(value / (header.vmax || 1)));
      image.data.set([c[0], c[1], c[2], 255], 4 * ((l * side + i) * all * side + h * side + j));
    };
    for (let l = 0; l < L; l++)
      for (let i = 0; i < side; i++)
        for (let j = 0; j < side; j++) {
          let sum = 0;
          for (let h = 0; h < H; h++) {
            const value = values[((l * H + h) * side + i) * side + j];
            sum += value;
            set(l, i, h, j, value);
          }
          if (data.mean) set(l, i, H, j, sum / H);
        }
    canvas.getContext("2d").putImageData(image, 0, 0);
    const notes = ["attention weight (probability), coloured by its square root, one scale for all heads", data.cell];
    if (hidden) notes.push("first column hidden");
    return { canvas: canvas, side: side, most: header.vmax, words: notes.filter(Boolean).join("; ") };
  }

  function cellAt(event) {
    if (!grid.data) return null;
    const x = event.offsetX, y = event.offsetY, heads = grid.data.heads.length;
    let h = Math.floor((x - LEFT) / grid.cell);
    if (grid.data.mean && x >= left(heads)) h = heads;
    else if (h >= heads) return null;
    const l = Math.floor((y - TOP) / grid.cell);
    return h < 0 || l < 0 || l >= grid.data.layers.length || (h === heads && !grid.data.mean) ? null : [l, headAt(l, h)];
  }

  function tellCell(l, h) {
    const words = el("attention-grid-words");
    if (!words || !grid.data) return;
    const { data, statistic } = grid;
    const who = h < data.heads.length ? `Layer ${data.layers[l]}, head ${data.heads[h]}` : `Layer ${data.layers[l]}, mean over its heads`;
    const told = Object.entries(data.statistics)
      .filter(([name]) => statistic === MAPS || name === statistic)
      .map(([name, s]) => [s.title, valueAt(name, l, h), s.unit])
      .filter(([, value]) => value !== null)
      .map(([title, value, unit]) => `${title} ${value.toFixed(2)}${unit === "probability" ? "" : ` ${unit}`}`);
    words.textContent = [who, ...told].join(" · ");
  }

  function choose(l, h) {
    const head = h < grid.data.heads.length ? h : "mean";
    pickHead(l, head);
  }

  function pickHead(layer, which) {
    window.dash_clientside.set_props("attention-pick", { data: { layer: layer, head: which, model: grid.data && grid.data.model } });
  }

  function listenGrid(canvas) {
    canvas.dataset.ready = "yes";
    canvas.addEventListener("pointermove", (event) => {
      const at = cellAt(event);
      canvas.style.cursor = at ? "pointer" : "default";
      if (at) tellCell(at[0], at[1]);
    });
    canvas.addEventListener("click", (event) => {
      const at = cellAt(event);
      if (!at) return;
      grid.cursor = at;
      choose(at[0], at[1]);
    });
    canvas.addEventListener("keydown", (event) => {
      if (!grid.data || event.ctrlKey || event.altKey || event.metaKey) return;
      const rows = grid.data.layers.length - 1, last = grid.data.heads.length - (grid.data.mean ? 0 : 1);
      let [l, h] = [grid.cursor[0], slot(...grid.cursor)];
      if (event.key === "ArrowUp") l = Math.max(0, l - 1);
      else if (event.key === "ArrowDown") l = Math.min(rows, l + 1);
      else if (event.key === "ArrowLeft") h = Math.max(0, h - 1);
      else if (event.key === "ArrowRight") h = Math.min(last, h + 1);
      else if (event.key === "Home") h = 0;
      else if (event.key === "End") h = last;
      else if (event.key === "Enter" || event.key === " ") choose(l, headAt(l, h));
      else return;
      event.preventDefault();
      grid.cursor = [l, headAt(l, h)];
      tellCell(...grid.cursor);
      drawGrid();
    });
    canvas.addEventListener("focus", drawGrid);
    canvas.addEventListener("blur", drawGrid);
  }

  function showGrid(data, pick, statistic, sink) {
    const canvas = el("attention-grid");
    if (canvas && !canvas.dataset.ready) { // the page was opened just now
      listenGrid(canvas);
      dark();
      head.kind = head.tokens = undefined;
      head.asked = new URLSearchParams(window.location.search).has("view");
    }
    const fresh = data !== grid.data || Boolean(sink) !== grid.sink;
    if (data !== grid.data) grid.sprite = null;
    grid.data = data || null;
    grid.pick = pick || null;
    grid.sink = Boolean(sink);
    grid.statistic = data && data.statistics[statistic] ? statistic : MAPS;
    if (data && fresh) {
      grid.table = bytes(data.table);
      map(`${data.sprite}&sink=${sink ? 0 : 1}`).then((found) => {
        if (grid.data !== data || grid.sink !== Boolean(sink)) return;
        grid.sprite = sprite(data, found, sink);
        drawGrid();
      }, (why) => failed("attention-grid-words", why));
    }
    const at = column(grid.pick);
    if (at !== null) {
      grid.cursor = [grid.pick.layer, at];
      tellCell(grid.pick.layer, at);
    }
    window.requestAnimationFrame(drawGrid);
    return window.dash_clientside.no_update;
  }

  // ---------------------------------------------------------------- one head's weights

  /* `view` as the page made it, with the weights that came: one whole map, or rows and columns as they are asked for. */
  const head = { view: null, whole: null, number: 0 };

  const hidden = (view, key) => (view.sink && key === 0) || (!view.special && view.specials.includes(key));
  const left_out = (view, query) => !view.special && !view.queries && view.specials.includes(query);

  /* What token i looks at, and who looks at it: two Float32Arrays over the tokens. */
  function weights(view, i) {
    const n = view.tokens.length, m = queries(view).length;
    if (view.address) {
      return map(view.address).then(({ values }) => {
        const into = new Float32Array(m);
        if (i < n) for (let q = 0; q < m; q++) into[q] = values[q * n + i];
        return { out: i < m ? values.slice(i * n, (i + 1) * n) : new Float32Array(n), into: into };
      });
    }
    const place = view.long ? `${i}-${i + 1}` : i;
    const out = i < m ? map(view.row + place) : { values: new Float32Array(n) };
    const into = i < n && view.column ? map(view.column + place) : { values: new Float32Array(m) };
    return Promise.all([out, into]).then((found) => ({ out: found[0].values, into: found[1].values }));
  }

  /* The tokens that look: the same as those that are looked at, but where a decoder looks at its encoder. */
  const queries = (view) => view.queries || view.tokens;

  /* Weights that are hidden become NaN: the first token's column, and special tokens on both sides. */
  function masked(view, found, i) {
    const out = found.out.slice(), into = found.into.slice();
    for (let k = 0; k < out.length; k++) if (hidden(view, k) || left_out(view, i)) out[k] = NaN;
    for (let q = 0; q < into.length; q++) if (left_out(view, q) || hidden(view, i)) into[q] = NaN;
    return { out: out, into: into };
  }

  function best(values, most) {
    const order = [];
    values.forEach((v, i) => v >= 0.005 && order.push(i));
    return order.sort((a, b) => values[b] - values[a]).slice(0, most);
  }

  const quoted = (view, i, side) => `“${(side === "query" ? queries(view) : view.tokens)[i]}” (${i})`;

  function list(view, values, most, side) {
    const found = best(values, most);
    return found.length ? found.map((i) => `${quoted(view, i, side)} ${short(values[i])}`).join(",  ") : "nothing worth a line";
  }

  function failed(id, why) {
    const box = el(id);
    if (box) box.textContent = `The weights did not come: ${String(why.message || why).slice(0, 200)}`;
  }

  function pin(token) {
    window.dash_clientside.set_props("attention-focus", { data: token === null ? null : { token: token } });
  }

  // ---------------------------------------------------------------- lines between tokens

  const ROW = 22;
  const lines = { focus: null, pinned: null, edges: null, found: null };

  function drawLines() {
    const scroll = el("attention-lines");
    if (!scroll) return;
    const { view } = head;
    if (view && view.long && !view.few) {
      scroll.replaceChildren();
      delete scroll.dataset.view;
      el("attention-lines-words").textContent = `Lines are drawn between 2048 tokens at most; this text has ${view.tokens.length}. ` +
        "The map shows all of them, and “Row of token” one token's whole row.";
      return;
    }
    if (!view) {
      scroll.replaceChildren();
      delete scroll.dataset.view;
      return;
    }
    if (scroll.dataset.view !== String(head.number)) buildLines(scroll, view);
    const turn = (lines.turn = (lines.turn || 0) + 1);
    const at = lines.focus || lines.pinned;
    if (!at) {
      lines.found = null;
      const words = el("attention-lines-words");
      if (!view.address) {
        words.textContent = "Point at a token, or move to it with the arrow keys, to see where it looks and who looks at it.";
        paint(scroll, view);
        return;
      }
      map(view.address).then(({ values }) => {
        if (turn !== lines.turn) return;
        lines.edges = strongest(view, values);
        words.textContent =
          `All weights of at least ${view.threshold} (${lines.edges.length} lines). ` +
          "Point at a token, or move to it with the arrow keys, to see its own.";
        paint(scroll, view);
      }, (why) => failed("attention-lines-words", why));
      return;
    }
    weights(view, at.token).then((found) => {
      if (turn !== lines.turn) return;
      lines.found = masked(view, found, at.token);
      const words = el("attention-lines-words");
      words.replaceChildren();
      const told = (lead, text) => {
        const line = make("div", "", words);
        line.append(makeText("b", "", lead), text);
      };
      const asQuery = !view.queries || at.side === "query", asKey = !view.queries || at.side === "key";
      const unread = view.long && !view.column && "not read in a text of this length";
      if (asQuery) told(`${quoted(view, at.token, "query")} looks at: `, left_out(view, at.token) ? "hidden, a special token" : list(view, lines.found.out, 5, "key"));
      if (asKey) told(asQuery ? "It is looked at by: " : `${quoted(view, at.token, "key")} is looked at by: `,
        hidden(view, at.token) ? "hidden here" : unread || list(view, lines.found.into, 5, "query"));
      paint(scroll, view);
    }, (why) => failed("attention-lines-words", why));
  }

  function strongest(view, all) {
    const n = view.tokens.length, m = queries(view).length;
    const edges = [];
    for (let q = 0; q < m; q++) {
      if (left_out(view, q)) continue;
      for (let k = 0; k < n; k++) {
        const w = all[q * n + k];
        if (w >= view.threshold && !hidden(view, k)) edges.push([q, k, w]);
      }
    }
    return edges.sort((a, b) => b[2] - a[2]).slice(0, 3000);
  }

  function buildLines(scroll, view) {
    scroll.dataset.view = String(head.number);
    scroll.replaceChildren();
    const body = make("div", "lines-body");
    const middle = make("div", "lines-middle");
    make("canvas", "lines-canvas", middle, { "aria-hidden": "true" });
    body.append(side(view, "query", "Looks from"), middle, side(view, "key", "Looks at"));
    scroll.append(body);
    if (!scroll.dataset.ready) {
      scroll.dataset.ready = "yes";
      scroll.addEventListener("scroll", () => head.view && paint(scroll, head.view));
    }
  }

  function side(view, which, name) {
    const words = which === "query" ? "Tokens that look" : "Tokens that are looked at";
    const box = make("div", `lines-side lines-${which}`, null, { role: "listbox", "aria-label": words, tabindex: 0 });
    const tokens = which === "query" ? queries(view) : view.tokens;
    tokens.forEach((token, i) => {
      const option = make("div", "lines-token", null, {
        id: `attention-lines-${which}-${i}`, role: "option", "aria-selected": "false", "data-token": i,
      });
      const [word, at, weight] = [makeText("span", "", token), makeText("small", "", i), make("i")];
      option.append(...(which === "query" ? [weight, word, at] : [at, word, weight]));
      const gone = which === "query" ? left_out(view, i) : hidden(view, i);
      if (gone) option.classList.add("gone");
      box.append(option);
    });
    const option = (event) => around(event, ".lines-token");
    box.addEventListener("pointerover", (event) => {
      const found = option(event);
      if (found && !lines.pinned) look(which, Number(found.dataset.token));
    });
    box.addEventListener("pointerleave", () => look(null));
    box.addEventListener("click", (event) => {
      const found = option(event);
      if (!found) return;
      const token = Number(found.dataset.token);
      const same = lines.pinned && lines.pinned.token === token && lines.pinned.side === which;
      settle(same ? null : { side: which, token: token });
    });
    box.addEventListener("keydown", (event) => {
      const now = Number(box.dataset.at || 0), last = tokens.length - 1;
      const steps = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: last, PageDown: now + 10, PageUp: now - 10 };
      if (event.key in steps) {
        event.preventDefault();
        walk(box, which, Math.max(0, Math.min(last, steps[event.key])));
      } else if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        settle({ side: which, token: now });
      } else if (event.key === "Escape") {
        settle(null);
      }
    });
    box.addEventListener("focus", () => {
      if (box.matches(":focus-visible")) walk(box, which, Number(box.dataset.at || (lines.pinned ? lines.pinned.token : 0)));
    });
    box.addEventListener("blur", () => look(null));
    const wrap = make("div", "lines-column");
    wrap.append(makeText("div", "lines-title", name), box);
    return wrap;
  }

  function look(which, token) {
    lines.focus = which ? { side: which, token: token } : null;
    drawLines();
  }

  function settle(at) {
    lines.pinned = at;
    lines.focus = null;
    pin(at ? at.token : null);
    drawLines();
  }

  function walk(box, which, token) {
    box.dataset.at = token;
    const option = el(`attention-lines-${which}-${token}`);
    box.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
    look(which, token);
  }

  /* Lines and token colours of what can be seen now; the canvas is as high as the window on the list, not as the list. */
  function paint(scroll, view) {
    const canvas = scroll.querySelector(".lines-canvas");
    if (!canvas) return;
    const middle = canvas.parentElement;
    const width = middle.clientWidth, height = Math.min(scroll.clientHeight, middle.clientHeight);
    const pen = sized(canvas, width, height);
    const title = scroll.querySelector(".lines-title").offsetHeight;
    const y = (i) => title + (i + 0.5) * ROW - scroll.scrollTop;
    const at = lines.focus || lines.pinned;
    const accent = colour("accent"), other = colour("warn");
    const line = (q, k, share, ink) => {
      const a = y(q), b = y(k);
      if ((a < -20 && b < -20) || (a > height + 20 && b > height + 20)) return;
      pen.globalAlpha = Math.max(0.04, Math.min(1, share));
      pen.lineWidth = 0.8 + 3 * Math.min(1, share);
      pen.strokeStyle = ink;
      pen.beginPath();
      pen.moveTo(0, a);
      pen.bezierCurveTo(width * 0.45, a, width * 0.55, b, width, b);
      pen.stroke();
    };
    if (at && lines.found) {
      if (at.side === "query") lines.found.out.forEach((w, k) => w >= 0.005 && line(at.token, k, w, accent));
      else lines.found.into.forEach((w, q) => w >= 0.005 && line(q, at.token, w, other));
    } else if (!at && lines.edges && view.address) {
      for (let i = lines.edges.length - 1; i >= 0; i--) line(lines.edges[i][0], lines.edges[i][1], lines.edges[i][2], accent);
    }
    pen.globalAlpha = 1;
    for (const which of ["query", "key"]) {
      const values = at && lines.found ? (which === "key" ? lines.found.out : lines.found.into) : null;
      const strong = at && at.side !== which;
      const tint = which === "key" ? accent : other;
      scroll.querySelectorAll(`.lines-${which} .lines-token`).forEach((option, i) => {
        const here = at && at.side === which && at.token === i;
        option.classList.toggle("here", Boolean(here));
        option.setAttribute("aria-selected", String(Boolean(here)));
        const w = values && strong && values[i] >= 0.005 ? values[i] : 0;
        option.style.background = w ? `color-mix(in srgb, ${tint} ${Math.round(8 + 42 * Math.min(1, w))}%, transparent)` : "";
        option.querySelector("i").textContent = w ? short(w) : "";
      });
    }
  }

  // ---------------------------------------------------------------- maps over the image

  const patches = { at: null, pinned: false, opacity: 0.6, own: false, image: null, source: "", over: null, found: null, top: 1 };

  function drawPatches() {
    const box = el("attention-patches");
    if (!box) return;
    const { view } = head;
    if (!view || !view.picture) return;
    if (!box.dataset.ready) listenPatches(box);
    specials(view);
    opacity();
    if (patches.source !== view.picture.address) {
      patches.source = view.picture.address;
      const image = new Image();
      image.onload = () => {
        patches.image = image;
        drawPatches();
      };
      image.src = view.picture.address;
      patches.image = null;
    }
    if (patches.at === null || patches.at >= view.tokens.length) patches.at = view.picture.start;
    const turn = (patches.turn = (patches.turn || 0) + 1);
    weights(view, patches.at).then((found) => {
      if (turn !== patches.turn) return;
      patches.found = found;
      const first = view.picture.first;
      const shown = [...found.out.slice(first), ...found.into.slice(first)];
      patches.top = patches.own ? Math.max(1e-9, ...shown) : view.picture.most;
      overlay("attention-patch-out", view, found.out);
      overlay("attention-patch-into", view, found.into);
      legend("attention-patch-scale", grid.table, "0", short(patches.top),
        `attention weight (probability), ${patches.own ? "scale of this patch alone" : "one scale for the whole head"}`);
      tellPatch(view, found);
    }, (why) => failed("attention-patch-words", why));
  }

  function overlay(id, view, values) {
    const canvas = el(id);
    if (!canvas) return;
    const [rows, columns] = view.picture.grid, first = view.picture.first;
    const width = Math.max(120, Math.min(420, canvas.parentElement.clientWidth));
    const height = Math.round((width * rows) / columns);
    const pen = sized(canvas, width, height);
    pen.imageSmoothingEnabled = true;
    if (patches.image) pen.drawImage(patches.image, 0, 0, width, height);
    const w = width / columns, h = height / rows;
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        const strength = Math.min(1, Math.max(0, values[first + r * columns + c] / patches.top));
        pen.globalAlpha = patches.opacity * strength; // what is not looked at shows the image as it is
        pen.fillStyle = css(rgb(grid.table, strength));
        const x = Math.round(c * w), y = Math.round(r * h);
        pen.fillRect(x, y, Math.round((c + 1) * w) - x, Math.round((r + 1) * h) - y);
      }
    pen.globalAlpha = 1;
    if (patches.at >= first) {
      const p = patches.at - first, x = (p % columns) * w, y = Math.floor(p / columns) * h;
      pen.lineWidth = 4;
      pen.strokeStyle = "#000000";
      pen.strokeRect(x, y, w, h);
      pen.lineWidth = 2;
      pen.strokeStyle = "#ffffff";
      if (!patches.pinned) pen.setLineDash([4, 3]);
      pen.strokeRect(x, y, w, h);
    }
  }

  function place(view, i) {
    const first = view.picture.first, columns = view.picture.grid[1];
    return i < first ? view.tokens[i] : `row ${Math.floor((i - first) / columns) + 1}, column ${((i - first) % columns) + 1}`;
  }

  function tellPatch(view, found) {
    const words = el("attention-patch-words");
    if (!words) return;
    const first = view.picture.first;
    const many = (values) => best(values, 3).map((i) => `${place(view, i)} (${short(values[i])})`).join(";  ") || "nothing worth a line";
    const inside = found.out.slice(first).reduce((a, b) => a + b, 0);
    words.replaceChildren();
    const told = (lead, text) => {
      const line = make("div", "", words);
      line.append(makeText("b", "", lead), text);
    };
    const name = patches.at < first ? place(view, patches.at) : `The patch in ${place(view, patches.at)}`;
    told(`${name} looks at: `, `${many(found.out)}.  ${short(inside)} of its attention is on patches.`);
    told("It is looked at by: ", many(found.into));
    if (patches.over !== null && patches.pinned)
      told(`Under the pointer, ${place(view, patches.over)}: `,
        `it gets ${short(found.out[patches.over])} of the chosen patch's attention and gives it ${short(found.into[patches.over])} of its own`);
  }

  /* The slider that sets how much of the image shines through. */
  function opacity() {
    const box = el("attention-opacity");
    if (!box || box.firstChild) return;
    const label = make("label", "", box);
    const slider = make("input");
    Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.05, value: patches.opacity, className: "form-range" });
    slider.addEventListener("input", () => {
      patches.opacity = Number(slider.value);
      drawPatches();
    });
    label.append("Opacity", slider);
  }

  function specials(view) {
    const box = el("attention-patch-specials");
    if (!box || box.dataset.view === String(head.number)) return;
    box.dataset.view = String(head.number);
    box.replaceChildren();
    for (let i = 0; i < view.picture.first; i++) {
      const button = makeText("button", "btn btn-sm btn-outline-primary", `From ${view.tokens[i]}`, box);
      button.type = "button";
      button.addEventListener("click", () => {
        patches.at = i;
        patches.pinned = true;
        pin(i);
        drawPatches();
      });
    }
  }

  function listenPatches(box) {
    box.dataset.ready = "yes";
    const where = (event) => {
      const [rows, columns] = head.view.picture.grid;
      const rect = event.currentTarget.getBoundingClientRect();
      const c = Math.floor(((event.clientX - rect.left) / rect.width) * columns);
      const r = Math.floor(((event.clientY - rect.top) / rect.height) * rows);
      return c < 0 || r < 0 || c >= columns || r >= rows ? null : head.view.picture.first + r * columns + c;
    };
    for (const id of ["attention-patch-out", "attention-patch-into"]) {
      const canvas = el(id);
      canvas.addEventListener("pointermove", (event) => {
        if (!head.view || !head.view.picture) return;
        const at = where(event);
        if (at === null) return;
        if (patches.pinned) {
          patches.over = at;
          if (patches.found) tellPatch(head.view, patches.found);
        } else if (at !== patches.at) {
          patches.at = at;
          drawPatches();
        }
      });
      canvas.addEventListener("pointerleave", () => {
        patches.over = null;
        if (patches.found && head.view && head.view.picture) tellPatch(head.view, patches.found);
      });
      canvas.addEventListener("click", (event) => {
        const at = where(event);
        if (at === null) return;
        patches.pinned = !(patches.pinned && at === patches.at);
        patches.at = at;
        pin(patches.pinned ? at : null);
        drawPatches();
      });
      canvas.addEventListener("keydown", (event) => {
        if (!head.view || !head.view.picture) return;
        const [rows, columns] = head.view.picture.grid, first = head.view.picture.first;
        const p = Math.max(0, patches.at - first);
        let r = Math.floor(p / columns), c = p % columns;
        if (event.key === "ArrowUp") r--;
        else if (event.key === "ArrowDown") r++;
        else if (event.key === "ArrowLeft") c--;
        else if (event.key === "ArrowRight") c++;
        else if (event.key === "Escape") {
          patches.pinned = false;
          pin(null);
          drawPatches();
          return;
        } else return;
        event.preventDefault();
        patches.at = first + Math.max(0, Math.min(rows - 1, r)) * columns + Math.max(0, Math.min(columns - 1, c));
        patches.pinned = true;
        pin(patches.at);
        drawPatches();
      });
    }
  }

  // ---------------------------------------------------------------- one token's row of a long text

  const row = { token: null, found: null, cursor: null };
  const HIGH = 74, BASE = 58;

  /* The row of `token`, or of the last one where none is chosen. */
  function drawRow(token) {
    const box = el("attention-rows");
    if (!box) return;
    const { view } = head;
    box.classList.toggle("d-none", !(view && view.long));
    if (!view || !view.long) return;
    if (!box.dataset.ready) listenRow(box);
    const last = queries(view).length - 1;
    const at = token === null || token === undefined || token > last ? last : token;
    const field = el("attention-row-token");
    field.max = last;
    if (document.activeElement !== field && Number(field.value) !== at) field.value = at;
    el("attention-row-of").textContent = `of 0 to ${last}; a click on the map chooses it too`;
    const turn = (row.turn = (row.turn || 0) + 1);
    box.setAttribute("aria-busy", "true");
    map(`${view.row}${at}-${at + 1}`).then((found) => {
      if (turn !== row.turn) return;
      box.removeAttribute("aria-busy");
      Object.assign(row, { token: at, found: found.values, cursor: null });
      paintRow();
      tellRow();
    }, (why) => {
      box.removeAttribute("aria-busy");
      failed("attention-row-words", why);
    });
  }

  /* Each pixel holds the largest weight of its keys. */
  function paintRow() {
    const canvas = el("attention-row");
    const { view } = head;
    if (!canvas || !row.found || !view || !view.long) return;
    const width = Math.max(200, canvas.parentElement.clientWidth);
    const pen = sized(canvas, width, HIGH);
    const n = row.found.length;
    const shown = chunks(Array.from(row.found, (w, k) => (hidden(view, k) ? 0 : w)), width);
    const top = shown.reduce((a, b) => Math.max(a, b), 1e-9);
    const wide = width / shown.length;
    pen.fillStyle = colour("line");
    pen.fillRect(0, BASE, width, 1);
    pen.fillStyle = colour("accent");
    shown.forEach((w, i) => {
      const high = (BASE - 2) * Math.sqrt(w / top);
      pen.fillRect(i * wide, BASE - high, Math.max(1, wide - 1), high);
    });
    pen.fillStyle = colour("muted");
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    pen.fillText("0", 0, HIGH);
    pen.textAlign = "right";
    pen.fillText(String(n - 1), width, HIGH);
    pen.textAlign = "center";
    pen.fillText(`key; height is the square root of the weight, the highest ${Number(top.toPrecision(2))}`, width / 2, HIGH);
    if (row.cursor !== null) {
      pen.fillStyle = colour("warn");
      pen.fillRect(((row.cursor + 0.5) * width) / n - 1, 0, 2, BASE);
    }
  }

  /* The largest of each of `many` stretches. */
  function chunks(values, many) {
    if (values.length <= many) return values;
    const out = new Array(many).fill(0);
    values.forEach((v, i) => {
      const x = Math.floor((i * many) / values.length);
      if (v > out[x]) out[x] = v;
    });
    return out;
  }

  function tellRow() {
    const words = el("attention-row-words");
    const { view } = head;
    if (!words || !row.found) return;
    const shown = row.found.map((w, k) => (hidden(view, k) ? 0 : w));
    const name = quoted(view, row.token, "query");
    const over = row.cursor === null ? "" : ` · here: ${quoted(view, row.cursor, "key")} ${short(row.found[row.cursor])}`;
    words.textContent = left_out(view, row.token)
      ? `${name} is a special token, which is hidden.` : `${name} looks at: ${list(view, shown, 8, "key")}${over}`;
  }

  function listenRow(box) {
    box.dataset.ready = "yes";
    const canvas = el("attention-row");
    /* Of the keys under one pixel, the one with the largest weight. */
    const under = (event) => {
      const n = row.found.length, wide = Math.ceil(n / canvas.clientWidth);
      let found = Math.max(0, Math.min(n - 1, Math.floor((event.offsetX / canvas.clientWidth) * n)));
      for (let i = found; i < Math.min(n, found + wide); i++) if (row.found[i] > row.found[found]) found = i;
      return found;
    };
    const to = (k) => {
      row.cursor = k;
      paintRow();
      tellRow();
    };
    canvas.addEventListener("pointermove", (event) => row.found && to(under(event)));
    canvas.addEventListener("pointerleave", () => row.found && to(null));
    canvas.addEventListener("keydown", (event) => {
      if (!row.found) return;
      const last = row.found.length - 1, now = row.cursor === null ? last : row.cursor;
      const moves = { ArrowLeft: now - 1, ArrowRight: now + 1, PageUp: now - 64, PageDown: now + 64, Home: 0, End: last };
      if (!(event.key in moves)) return;
      event.preventDefault();
      to(Math.max(0, Math.min(last, moves[event.key])));
    });
  }

  /* A number typed above the row. */
  function focusRow(token) {
    const whole = Math.floor(Number(token));
    if (token !== null && token !== undefined && token !== "" && whole >= 0 && whole !== row.token) pin(whole);
    return window.dash_clientside.no_update;
  }

  document.addEventListener("vitrine-select", (event) => {
    if (event.target.id === "attention-large" && head.view && head.view.long) pin(event.detail.row);
  });

  // ---------------------------------------------------------------- what Dash calls

  function showHead(view, focus, own) {
    if (view && view.long && !view.tokens) { // the names come once for all heads
      head.coming = view;
      window.vitrine.names(view.names).then((names) => {
        view.tokens = names.keys;
        if (names.queries) view.queries = names.queries;
        if (head.coming === view) showHead(view, focus, own);
      }, (why) => failed("attention-row-words", why));
      return window.dash_clientside.no_update;
    }
    head.coming = view;
    const fresh = view !== head.view;
    if (fresh) {
      const kind = view && (view.picture ? "image" : "text");
      if (kind && kind !== head.kind && !(head.kind === undefined && head.asked)) window.dash_clientside.tabs.open("attention", kind === "image" ? "image" : "map");
      head.kind = kind || head.kind;
      const tokens = view ? view.tokens.join("\n") : head.tokens;
      if (head.tokens !== undefined && tokens !== head.tokens && focus) { // a place in another text says nothing here
        pin(null);
        focus = null;
      }
      head.tokens = tokens;
      head.view = view || null;
      head.number += 1;
      lines.edges = lines.found = lines.focus = null;
    }
    const token = focus && view && focus.token < Math.max(view.tokens.length, queries(view).length) ? focus.token : null;
    const side = lines.pinned && token === lines.pinned.token ? lines.pinned.side : "query";
    lines.pinned = token === null ? null : { side: side, token: token };
    if (token !== null) patches.at = token;
    patches.pinned = token !== null;
    patches.own = Boolean(own && own.length !== 0);
    window.requestAnimationFrame(() => {
      drawLines();
      drawPatches();
      drawRow(token);
    });
    return window.dash_clientside.no_update;
  }

  /* The view as a link. */
  function link(card, given, aim, pick, data, statistic, sink, special, tab, focus, looked, part, pins, own) {
    if (!card || !given) return window.dash_clientside.no_update;
    const params = { model: card.name };
    Object.assign(params, window.dash_clientside.shell.input(given));
    if (Array.isArray(aim)) params.target = aim.join("|");
    else if (aim && typeof aim === "object") params.sequence = aim.sequence;
    else if (aim) params.target = String(aim);
    if (pick && pick.link) Object.assign(params, pick.link);
    else if (pick && data && pick.layer < data.layers.length) {
      params.layer = data.layers[pick.layer];
      params.head = pick.head === "mean" ? "mean" : data.heads[pick.head];
    }
    params.statistic = statistic === MAPS ? "" : statistic;
    params.sink = sink ? "" : "shown";
    params.special = special ? "" : "hidden";
    params.view = tab;
    if (focus && focus.token !== undefined) params.token = String(focus.token);
    const there = looked && (!looked.key || !data || looked.key === data.key) ? looked : null;
    for (const name of ["rows", "keys"]) params[name] = there && there[name] ? there[name].join("-") : "";
    params.part = part || "";
    params.own = own === true ? "1" : "";
    params.pins = (pins || []).join(",");
    return { path: "/attention", params: params };
  }

  document.addEventListener("click", (event) => {
    const button = around(event, "button.head-pick");
    if (!button) return;
    const { layer, head: which } = button.dataset;
    if (layer !== undefined) pickHead(Number(layer), which === "mean" ? "mean" : Number(which));
  });

  // ---------------------------------------------------------------- pictures to take away

  const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

  function svg(width, height, parts) {
    const back = `<rect width="100%" height="100%" fill="${colour("surface")}"/>`;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `font-family="system-ui, sans-serif" font-size="13" fill="${colour("ink")}">${back}${parts.join("")}</svg>`;
  }

  function linesPicture() {
    const { view } = head, at = lines.focus || lines.pinned, n = Math.max(queries(view).length, view.tokens.length), half = 200, wide = 260;
    const y = (i) => 50 + i * ROW;
    const edges = !at ? lines.edges || [] : !lines.found ? []
      : at.side === "query" ? [...lines.found.out].map((w, k) => [at.token, k, w]) : [...lines.found.into].map((w, q) => [q, at.token, w]);
    const parts = [`<text x="12" y="22" font-weight="600">${escaped(view.name)}: lines are attention weights (probability), thicker is more</text>`];
    edges.filter((e) => e[2] >= 0.005).forEach(([q, k, w]) => parts.push(
      `<path d="M${half} ${y(q)} C${half + wide * 0.45} ${y(q)} ${half + wide * 0.55} ${y(k)} ${half + wide} ${y(k)}" fill="none" ` +
      `stroke="${colour(at && at.side === "key" ? "warn" : "accent")}" stroke-opacity="${Math.max(0.04, Math.min(1, w)).toFixed(3)}" ` +
      `stroke-width="${(0.8 + 3 * Math.min(1, w)).toFixed(2)}"/>`));
    queries(view).forEach((token, i) => parts.push(`<text x="${half - 8}" y="${y(i) + 4}" text-anchor="end">${escaped(token)}</text>`));
    view.tokens.forEach((token, i) => parts.push(`<text x="${half + wide + 8}" y="${y(i) + 4}">${escaped(token)}</text>`));
    return svg(2 * half + wide, y(n) + 10, parts);
  }

  function patchPicture() {
    const { view } = head;
    const one = (id, x, caption) => {
      const canvas = el(id);
      return `<text x="${x}" y="48">${caption}</text><image x="${x}" y="58" width="${canvas.clientWidth}" height="${canvas.clientHeight}" ` +
        `href="${canvas.toDataURL()}"/>`;
    };
    const size = el("attention-patch-out");
    const place_ = escaped(place(view, patches.at));
    const parts = [
      `<text x="12" y="22" font-weight="600">${escaped(view.name)}, from and to ${place_}; full colour = ${short(patches.top)} (probability)</text>`,
      one("attention-patch-out", 12, "Where it looks"),
      one("attention-patch-into", 32 + size.clientWidth, "Who looks at it"),
    ];
    return svg(44 + 2 * size.clientWidth, 70 + size.clientHeight, parts);
  }

  /* The open view on the designed page of its result, which has the model, the day and the warning at its foot. */
  function save(kind, button) {
    if (!head.view) return;
    const { saveSheet, saveSheetAround } = window.vitrine;
    const open = document.querySelector("[role=tab][data-page=attention][aria-selected=true]").dataset.name;
    const name = `attention-${head.view.name}`;
    const key = (/\/maps\/([0-9a-f]{64})\//.exec(head.view.address) || [])[1];
    const failed = (error) => (button.title = error.message);
    if (open === "map") {
      const id = document.querySelector("#attention-map .js-plotly-plot") ? "attention-map" : "attention-large";
      saveSheet(key, id, kind).catch(failed);
      return;
    }
    const text = open === "lines" ? linesPicture() : head.view.picture ? patchPicture() : null;
    if (text) saveSheetAround(key, text, kind, name).catch(failed);
  }

  document.addEventListener("click", (event) => {
    const button = around(event, ".attention-save");
    if (button) save(button.dataset.kind, button);
  });

  function dark() {
    if (!el("attention-grid")) return;
    tellTheme("attention-dark");
  }

  function again() {
    drawGrid();
    drawLines();
    drawPatches();
    paintRow();
  }
  let waiting = 0;
  window.addEventListener("resize", () => {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(again, 120);
  });
  window.addEventListener("vitrine-theme", () => {
    dark();
    window.setTimeout(again, 0);
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    attention: { grid: showGrid, head: showHead, link: link, focus: focusRow },
  });
})();
