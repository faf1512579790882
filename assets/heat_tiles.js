/* A window on a map that is too large to send: zoom and pan over it, with tiles fetched for what is in view.
   The base map is the whole in small, or some of its rows; tiles of 256 × 256 cells lie over it as they come. Positions
   are tokens, from 0; each cell is the largest weight of its block. See viz/pages/attention/long_text.py for the spec. */
(function () {
  "use strict";
  const vitrine = window.vitrine;
  const { clamp, dequantise, fetched, make, unpack } = vitrine.lib;
  const { Heat, number } = vitrine.heat.parts;
  const CELLS = 256; // of a tile, down and across
  const KEPT = 80; // tiles
  const AT_ONCE = 3; // tiles asked for at a time
  const TRIES = 3;
  const NEAREST = 8; // tokens in view at the least
  const MINI = 84; // px of the small map that says where one is
  const held = new Map(); // address -> promise of the names

  vitrine.names = function (address) {
    if (!held.has(address)) {
      const asked = fetched(address).then((answer) => answer.json());
      asked.catch(() => held.delete(address));
      held.set(address, asked);
      if (held.size > 4) held.delete(held.keys().next().value);
    }
    return held.get(address);
  };

  /* A map that came, with the rows and keys it is of. */
  function piece(map) {
    const { rows_range: rows, keys_range: keys, pooled, shape } = map.header;
    return { map, rows, keys, steps: pooled, shape, values: dequantise(map.header), stamp: "", canvas: null };
  }

  class Tiled extends Heat {
    async update(spec) {
      const before = this.spec && this.spec.tiles;
      this.stays = Boolean(before && before.key === spec.tiles.key && String(before.shape) === String(spec.tiles.shape));
      this.stop();
      let names;
      try {
        names = await vitrine.names(spec.tiles.names);
      } catch (error) {
        this.spec = spec;
        this.fail(error.message);
        return;
      }
      this.names = [names.queries || names.keys, names.keys];
      this.tilesOf = spec.tiles.address;
      this.tiles = new Map();
      this.tries = new Map();
      this.base = null;
      await super.update(spec);
    }

    destroy() {
      this.stop();
      super.destroy();
    }

    stop() {
      clearTimeout(this.fetching);
      clearTimeout(this.telling);
      if (this.abort) this.abort.abort();
      this.abort = null;
    }

    /* Called when a map has come, before it is drawn. */
    choose(spec) {
      this.base = this.map && piece(this.map);
      this.spec.value = null; // exact numbers are asked of tiles
      super.choose(spec);
      const kept = this.stays ? this.kept : null;
      const start = spec.tiles.window;
      if (kept) this.view = this.bounded(kept);
      else if (start) this.view = this.around(start.rows, start.keys);
      else if (spec.tiles.whole) this.view = { x: 0, y: 0, k: 1 };
      else this.view = this.around(this.base.rows, [Math.max(0, this.base.rows[0]), this.base.rows[1]]);
      this.kept = { ...this.view };
      this.tell();
    }

    get cells() {
      return this.spec.tiles ? this.spec.tiles.shape : super.cells;
    }

    get ends() {
      let most = Math.max(this.spec.tiles.most || 0, this.base ? this.base.map.header.vmax : 0);
      if (!this.spec.tiles.whole) for (const tile of this.tiles.values()) if (tile.map) most = Math.max(most, tile.map.header.vmax);
      const near = this.settings.near ? this.pieces().slice(1) : [];
      if (near.length) most = Math.max(...near.map((tile) => tile.map.header.vmax));
      return [0, most || 1];
    }

    label(axis, index) {
      const text = this.names[axis][index];
      return { text: text === undefined ? null : text, place: index };
    }

    tick(axis, index) {
      const { text } = this.label(axis, index);
      return text === null ? String(index) : `${text} ${index}`;
    }

    longest() {
      return ["0000000 000000"];
    }

    // ---- the window ----------------------------------------------------------------------------

    /* The least enlargement: all of it, or as many rows as may be computed at a time. */
    get least() {
      return this.spec.tiles.whole ? 1 : Math.max(1, this.cells[0] / this.spec.tiles.most_rows);
    }

    get nearest() {
      return Math.max(this.least, Math.max(...this.cells) / NEAREST);
    }

    around(rows, keys) {
      const [r, c] = this.cells;
      const k = clamp(Math.min(r / Math.max(1, rows[1] - rows[0]), c / Math.max(1, keys[1] - keys[0])), this.least, this.nearest);
      return this.bounded({ k, x: keys[0] / c, y: rows[0] / r });
    }

    bounded({ x, y, k }) {
      const bound = clamp(k, this.least, this.nearest);
      const room = 1 - 1 / bound;
      return { k: bound, x: clamp(x, 0, room), y: clamp(y, 0, room) };
    }

    /* The rows and keys in view: [first, end]. */
    get inView() {
      const { x, y, k } = this.view;
      const one = (from, size) => [Math.floor(from * size + 1e-6), Math.min(size, Math.ceil((from + 1 / k) * size - 1e-6))];
      return { rows: one(y, this.cells[0]), keys: one(x, this.cells[1]) };
    }

    zoomBy(factor, u, v) {
      const { x, y, k } = this.view;
      const next = clamp(k * factor, this.least, this.nearest);
      this.zoomTo({ k: next, x: x + u / k - u / next, y: y + v / k - v / next });
    }

    zoomTo(view, quiet) {
      super.zoomTo(this.bounded(view), quiet);
      this.kept = { ...this.view };
      this.canvas.style.touchAction = this.view.k > this.least ? "none" : "pan-y";
      this.tell();
    }

    panBy(u, v) {
      const { x, y, k } = this.view;
      this.zoomTo({ k, x: x + u / k, y: y + v / k });
      this.say();
    }

    /* Says in words where the window is, for who does not see it. */
    say() {
      const { rows, keys } = this.inView;
      this.live.textContent = `rows ${rows[0]} to ${rows[1] - 1}, keys ${keys[0]} to ${keys[1] - 1}`;
    }

    /* The window goes into the link a little later, not with every step of the wheel. */
    tell() {
      clearTimeout(this.telling);
      this.telling = setTimeout(() => {
        const { rows, keys } = this.inView;
        const all = this.view.k === 1;
        const csv = document.getElementById("attention-window-csv");
        if (csv) csv.href = `${csv.dataset.base}&rows=${rows.join("-")}&keys=${keys.join("-")}`;
        const data = { key: this.spec.tiles.key, rows: all ? null : rows, keys: all ? null : keys };
        if (this.spec.tiles.tell && window.dash_clientside.set_props) window.dash_clientside.set_props(this.spec.tiles.tell, { data });
      }, 250);
    }

    // ---- tiles ---------------------------------------------------------------------------------

    draw() {
      if (!this.base) return;
      super.draw();
      clearTimeout(this.fetching);
      this.fetching = setTimeout(() => this.want(), 120);
    }

    /* How many tokens one cell of the tiles in view stands for; 0 where the base map is as fine. */
    get step() {
      if (!this.place || !this.base) return 0;
      const shown = this.cells[1] / (this.place.w * this.view.k); // tokens per px
      const step = 2 ** Math.max(0, Math.ceil(Math.log2(shown) - 0.25));
      return step < Math.max(...this.base.steps) || !this.spec.tiles.whole ? step : 0;
    }

    /* The tiles in view, those in the middle first. */
    wanted() {
      const step = this.step;
      if (!step) return [];
      const { rows, keys } = this.inView;
      const size = CELLS * step;
      const found = [];
      for (let r = Math.floor(rows[0] / size); r * size < rows[1]; r++)
        for (let c = Math.floor(keys[0] / size); c * size < keys[1]; c++) {
          const range = (i, all) => [i * size, Math.min(all, (i + 1) * size)];
          const [a, b] = [range(r, this.cells[0]), range(c, this.cells[1])];
          if (this.blank(a, b)) continue;
          const off = Math.hypot((a[0] + a[1] - rows[0] - rows[1]) / 2, (b[0] + b[1] - keys[0] - keys[1]) / 2);
          found.push({ name: `${step}:${r}:${c}`, step, rows: a, keys: b, off });
        }
      return found.sort((one, other) => one.off - other.off);
    }

    /* Whether the whole map says that there is nothing, as above the diagonal of a causal network. */
    blank(rows, keys) {
      if (!this.spec.tiles.whole) return false;
      const { map, steps, shape } = this.base;
      for (let r = Math.floor(rows[0] / steps[0]); r <= Math.min(shape[0] - 1, Math.floor((rows[1] - 1) / steps[0])); r++)
        for (let c = Math.floor(keys[0] / steps[1]); c <= Math.min(shape[1] - 1, Math.floor((keys[1] - 1) / steps[1])); c++)
          if (map.codes[r * shape[1] + c]) return false;
      return true;
    }

    want() {
      if (!this.place || !this.base || !this.element.isConnected) return;
      const wanted = this.wanted();
      const missing = wanted.filter((tile) => !this.tiles.has(tile.name) && (this.tries.get(tile.name) || 0) < TRIES);
      for (const tile of wanted)
        if (this.tiles.has(tile.name)) {
          const kept = this.tiles.get(tile.name); // used last
          this.tiles.delete(tile.name);
          this.tiles.set(tile.name, kept);
        }
      this.reading = missing.length;
      this.describe();
      if (!missing.length) return;
      this.abort = this.abort || new AbortController();
      const asked = [...this.tiles.values()].filter((tile) => tile.asked).length;
      for (const tile of missing.slice(0, Math.max(0, AT_ONCE - asked))) this.ask_tile(tile);
    }

    async ask_tile(tile) {
      const of = this.tilesOf;
      const turn = this.turn;
      const signal = this.abort.signal;
      this.tiles.set(tile.name, { asked: true });
      const address = `${of}&rows=${tile.rows.join("-")}&keys=${tile.keys.join("-")}&size=${CELLS},${CELLS}`;
      try {
        const found = piece(unpack(await (await fetched(address, { signal })).arrayBuffer()));
        if (of !== this.tilesOf || turn !== this.turn) return;
        this.tiles.set(tile.name, { ...found, address });
        this.trouble = "";
        for (const name of this.tiles.keys()) {
          if (this.tiles.size <= KEPT) break;
          this.tiles.delete(name);
        }
        this.draw();
      } catch (error) {
        if (of !== this.tilesOf || turn !== this.turn) return;
        this.tiles.delete(tile.name);
        if (error.name === "AbortError") return;
        this.tries.set(tile.name, (this.tries.get(tile.name) || 0) + 1);
        this.trouble = error.message;
        this.describe();
        this.fetching = setTimeout(() => this.want(), 1500);
      }
    }

    /* The pieces that have come and lie in view, the coarse ones first. */
    pieces() {
      const { rows, keys } = this.inView;
      const come = [...this.tiles.values()].filter((tile) => tile.map);
      const near = come.filter((t) => t.rows[0] < rows[1] && t.rows[1] > rows[0] && t.keys[0] < keys[1] && t.keys[1] > keys[0]);
      return [this.base, ...near.sort((a, b) => b.steps[0] - a.steps[0])];
    }

    values2d(paint) {
      const stamp = JSON.stringify([this.settings, this.ends]);
      const surface = this.look().surface;
      for (const part of this.pieces()) {
        if (part.stamp !== stamp) {
          part.stamp = stamp;
          part.canvas = this.coloured(part);
        }
        this.lay(paint, part, surface);
      }
    }

    coloured({ map, values, shape }) {
      const canvas = document.createElement("canvas");
      canvas.width = shape[1];
      canvas.height = shape[0];
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(shape[1], shape[0]);
      const out = new Uint32Array(pixels.data.buffer);
      const palette = this.palette(values);
      for (let i = 0; i < out.length; i++) out[i] = palette[map.codes[i]];
      context.putImageData(pixels, 0, 0);
      return canvas;
    }

    /* One piece where it belongs, cut to the view. */
    lay(paint, part, surface) {
      const { left, top, w, h } = this.place;
      const { x, y, k } = this.view;
      const [r, c] = this.cells;
      const a = Math.max(part.rows[0], y * r), b = Math.min(part.rows[1], (y + 1 / k) * r);
      const d = Math.max(part.keys[0], x * c), e = Math.min(part.keys[1], (x + 1 / k) * c);
      if (b <= a || e <= d) return;
      const crop = [(d - part.keys[0]) / part.steps[1], (a - part.rows[0]) / part.steps[0], (e - d) / part.steps[1], (b - a) / part.steps[0]];
      // whole pixels, so that no seam shows between two pieces
      const across = (key) => Math.round(left + (key / c - x) * k * w), down = (row) => Math.round(top + (row / r - y) * k * h);
      const box = [across(d), down(a), across(e) - across(d), down(b) - down(a)];
      if (part !== this.base) paint.rect(...box, surface); // what is cut off here must not show the coarser map
      paint.image(part.canvas, crop, box, false);
    }

    // ---- reading out ---------------------------------------------------------------------------

    /* The finest piece that holds a cell, and the cell's place there. */
    holder([row, column]) {
      const inside = (t) => row >= t.rows[0] && row < t.rows[1] && column >= t.keys[0] && column < t.keys[1];
      const part = this.pieces().reverse().find(inside);
      if (!part) return null;
      return { part, at: [Math.floor((row - part.rows[0]) / part.steps[0]), Math.floor((column - part.keys[0]) / part.steps[1])] };
    }

    valueAt(cell) {
      const found = this.base && this.holder(cell);
      return found ? found.part.values[found.part.map.codes[found.at[0] * found.part.shape[1] + found.at[1]]] : null;
    }

    readout(cell) {
      const value = this.valueAt(cell);
      if (value === null) return "not read yet";
      const { part } = this.holder(cell);
      const known = this.exact.get(this.mark(cell));
      const block = part.steps[0] * part.steps[1] > 1 ? `, the largest of ${part.steps.join(" × ")}` : "";
      return `${known === undefined ? "≈ " : ""}${number(known === undefined ? value : known)} probability${block}`;
    }

    mark(cell) {
      const found = this.holder(cell);
      return found ? `${found.part.address || "base"} ${found.at}` : "";
    }

    /* The exact number of a cell: of the very block that is drawn. */
    async ask(cell, fromKeys) {
      const found = this.holder(cell);
      const mark = this.mark(cell);
      if (!found || this.exact.has(mark)) return;
      const turn = this.turn;
      try {
        const told = await (await fetched(`${found.part.address || this.tilesOf}&at=${found.at}`)).json();
        if (turn !== this.turn) return;
        this.exact.set(mark, told.value);
        if (String(cell) === String(this.cursor)) {
          this.show(cell);
          if (fromKeys) this.live.textContent = `${this.words(cell)} ${this.readout(cell)}`;
        }
      } catch {
        // the quantised value stays
      }
    }

    describe() {
      super.describe();
      if (!this.base) return;
      const { rows, keys } = this.inView;
      const [r, c] = this.cells;
      const words = this.view.k === 1 ? `all ${r} × ${c} tokens` : `rows ${rows[0]}–${rows[1] - 1} of ${r}, keys ${keys[0]}–${keys[1] - 1} of ${c}`;
      const first = this.pieces().slice(-1)[0];
      const block = first.steps[0] * first.steps[1] > 1 ? `each cell is the largest of ${first.steps.join(" × ")} weights` : "each cell is one weight";
      const said = [words, block];
      const { hidden } = this.base.map.header;
      if (hidden) said.push(`${hidden} hidden; the rest is not renormalised`);
      if (this.settings.stretch === "sqrt") said.push("colours follow the square root");
      if (this.settings.stretch === "log") said.push("colours follow the logarithm");
      if (this.settings.near && this.pieces().length > 1) said.push("colours end at the largest weight near this window");
      if (this.trouble) said.push(this.trouble);
      else if (this.reading) said.push("reading …");
      this.note.textContent = said.join(" · ");
      this.element.dataset.window = words;
      this.element.dataset.reading = String(this.reading || 0);
      this.canvas.setAttribute(
        "aria-label",
        `${this.spec.label}: ${words}. Arrow keys read values, Shift with them moves the window, plus and minus zoom, 0 goes back, Enter shows a token's row.`
      );
    }

    // ---- where one is --------------------------------------------------------------------------

    overlay() {
      super.overlay();
      if (this.place && this.base && this.view.k > 1) this.mini(this.top.getContext("2d"));
    }

    get miniBox() {
      const { left, top, w } = this.place;
      const [r, c] = this.cells;
      const scale = MINI / Math.max(r, c);
      const wide = Math.max(12, c * scale), high = Math.max(12, r * scale);
      return [left + w - wide - 8, top + 8, wide, high];
    }

    mini(context) {
      const [x, y, wide, high] = this.miniBox;
      const look = this.look();
      context.fillStyle = look.surface;
      context.fillRect(x - 2, y - 2, wide + 4, high + 4);
      const [r, c] = this.cells;
      if (this.base.canvas) {
        const [rows, keys] = [this.base.rows, this.base.keys];
        const box = [x + (keys[0] / c) * wide, y + (rows[0] / r) * high, ((keys[1] - keys[0]) / c) * wide, ((rows[1] - rows[0]) / r) * high];
        context.imageSmoothingEnabled = true;
        context.drawImage(this.base.canvas, ...box);
      }
      context.strokeStyle = look.edge;
      context.lineWidth = 1;
      context.strokeRect(x - 1.5, y - 1.5, wide + 3, high + 3);
      const part = Math.max(5, wide / this.view.k), tall = Math.max(5, high / this.view.k);
      const at = [Math.min(x + this.view.x * wide, x + wide - part), Math.min(y + this.view.y * high, y + high - tall)];
      for (const [width, colour] of [[4, "#000000"], [2, "#ffd43b"]]) {
        context.lineWidth = width;
        context.strokeStyle = colour;
        context.strokeRect(...at, part, tall);
      }
    }

    onMini(event) {
      if (!this.place || !this.base || this.view.k <= 1) return null;
      const frame = this.canvas.getBoundingClientRect();
      const [x, y, wide, high] = this.miniBox;
      const u = (event.clientX - frame.left - x) / wide, v = (event.clientY - frame.top - y) / high;
      return u >= 0 && v >= 0 && u <= 1 && v <= 1 ? [u, v] : null;
    }

    // ---- pointer, keys, buttons ------------------------------------------------------------------

    pressed(event) {
      this.fingers = this.fingers || new Map();
      this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
      const mini = event.button === 0 && this.onMini(event);
      if (mini) {
        const { k } = this.view;
        this.zoomTo({ k, x: mini[0] - 0.5 / k, y: mini[1] - 0.5 / k });
        this.say();
        return;
      }
      super.pressed(event);
      if (this.fingers.size === 2 && this.drag) this.drag.moved = true; // a pinch picks nothing
    }

    moved(event) {
      if (this.fingers && this.fingers.size === 2 && this.fingers.has(event.pointerId)) {
        const spread = () => {
          const [a, b] = [...this.fingers.values()];
          return { far: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 };
        };
        const before = spread();
        this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
        const now = spread();
        const frame = this.canvas.getBoundingClientRect();
        const { left, top, w, h } = this.place;
        if (before.far > 0) this.zoomBy(now.far / before.far, clamp((now.x - frame.left - left) / w, 0, 1), clamp((now.y - frame.top - top) / h, 0, 1));
        this.panBy((before.x - now.x) / w, (before.y - now.y) / h);
        return;
      }
      super.moved(event);
    }

    released(event) {
      if (this.fingers) this.fingers.delete(event.pointerId);
      super.released(event);
    }

    listen() {
      super.listen();
      this.canvas.addEventListener("pointercancel", (event) => {
        if (this.fingers) this.fingers.delete(event.pointerId);
        this.drag = null;
      });
    }

    keyed(event) {
      if (!this.place || !this.base || event.ctrlKey || event.metaKey || event.altKey) return;
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const move = moves[event.key];
      if (move && event.shiftKey) this.panBy(move[1] / 4, move[0] / 4);
      else if (move) {
        const step = this.step || Math.max(...this.base.steps);
        const [r, c] = this.cells;
        const { rows, keys } = this.inView;
        const from = this.cursor || [Math.floor((rows[0] + rows[1]) / 2), Math.floor((keys[0] + keys[1]) / 2)];
        const far = this.cursor ? step : 0;
        const cell = [clamp(from[0] + move[0] * far, 0, r - 1), clamp(from[1] + move[1] * far, 0, c - 1)];
        this.follow(cell);
        this.point(cell, true);
      } else if (event.key === "0") this.all();
      else {
        super.keyed(event);
        if ("+=-".includes(event.key)) this.say();
        return;
      }
      event.preventDefault();
    }

    all() {
      this.zoomTo({ x: this.view.x, y: this.view.y, k: this.least });
      this.say();
    }

    controls() {
      super.controls();
      const group = make("span", "heat-zoom", null, { role: "group", "aria-label": "Zoom" });
      const button = (text, words, run) => {
        const made = make("button", "btn btn-sm btn-outline-secondary", group, { type: "button", "aria-label": words, title: words, name: words });
        made.textContent = text;
        made.addEventListener("click", run);
      };
      const middle = (factor) => () => {
        this.zoomBy(factor, 0.5, 0.5);
        this.say();
      };
      button("+", "Zoom in", middle(2));
      button("−", "Zoom out", middle(0.5));
      button("All", this.spec.tiles.whole ? "Show the whole map" : "Show as many rows as may be", () => this.all());
      this.bar.prepend(group);
      const label = make("label", "heat-field", this.bar);
      const box = make("input", "form-check-input", label, { type: "checkbox", name: "near" });
      box.checked = Boolean(this.settings.near);
      box.addEventListener("change", () => this.set("near", box.checked));
      make("span", "", label).textContent = "Scale to what is near";
    }
  }

  vitrine.heat.Tiled = Tiled;
})();
