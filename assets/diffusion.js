/* The diffusion page in the browser: words as chips, their maps over the pictures, with no round trip. Word maps are
   fetched once a part (viz/server/diffusion_files.py) as float32; colours, opacity, threshold and several words at once are drawn here. */
(function () {
  "use strict";
  const vitrine = window.vitrine;
  const { bytes, download, fetched, make, unpack } = vitrine.lib;
  const LOOK = ["show", "opacity", "threshold", "rule", "colours", "scale", "smooth", "grey", "outline", "part", "first", "last", "layer", "head"];
  const USUAL = { show: "heat", opacity: 0.85, threshold: 0.4, rule: "own", colours: "viridis", scale: "common", smooth: false, grey: true, outline: true, part: "all" };
  const PAGE = "diffusion";
  const byId = (name) => document.getElementById(`${PAGE}-${name}`);

  // ---- fetching ----------------------------------------------------------------------------------

  const kept = new Map();

  /* A message of viz/server/diffusion_files.py: its header and its values, kept while it is among the last looked at. */
  function message(url, Kind) {
    if (!kept.has(url)) {
      const coming = fetched(url).then(async (answer) => {
        const { header, codes } = unpack(await answer.arrayBuffer(), Kind);
        return { header, values: codes };
      });
      coming.catch(() => kept.delete(url));
      kept.set(url, coming);
      if (kept.size > 60) kept.delete(kept.keys().next().value);
    }
    return kept.get(url);
  }

  function picture(url) {
    if (!kept.has(url)) {
      const coming = new Promise((resolve, reject) => {
        const image = new Image();
        image.onload = () => resolve(image);
        image.onerror = () => reject(new Error("the picture could not be fetched; is Vitrine still running?"));
        image.src = url;
      });
      coming.catch(() => kept.delete(url));
      kept.set(url, coming);
    }
    return kept.get(url);
  }

  // ---- numbers -----------------------------------------------------------------------------------

  function number(value) {
    if (value === 0) return "0";
    return Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  }

  /* Weights of a cubic (a = −0.5) from `size` places to `large`, as Pillow's BICUBIC enlarges. */
  function weights(size, large) {
    const cubic = (x) => {
      const t = Math.abs(x);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
    };
    return Array.from({ length: large }, (_, i) => {
      const centre = ((i + 0.5) * size) / large - 0.5;
      const first = Math.floor(centre) - 1;
      const found = [];
      for (let k = first; k < first + 4; k++) if (k >= 0 && k < size) found.push([k, cubic(centre - k)]);
      const total = found.reduce((sum, [, w]) => sum + w, 0);
      return found.map(([k, w]) => [k, w / total]);
    });
  }

  function enlarged({ values, rows, columns }, height, width) {
    const across = weights(columns, width);
    const down = weights(rows, height);
    const lines = new Float32Array(rows * width);
    for (let r = 0; r < rows; r++)
      for (let x = 0; x < width; x++) lines[r * width + x] = across[x].reduce((s, [k, w]) => s + w * values[r * columns + k], 0);
    const out = new Float32Array(height * width);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) out[y * width + x] = Math.max(0, down[y].reduce((s, [k, w]) => s + w * lines[k * width + x], 0));
    return { values: out, rows: height, columns: width };
  }

  function ends(values) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return [low, high];
  }

  function edges(inside, rows, columns) {
    const pieces = [];
    const at = (r, c) => r >= 0 && c >= 0 && r < rows && c < columns && inside(r * columns + c);
    for (let r = 0; r <= rows; r++)
      for (let c = 0; c <= columns; c++) {
        if (c < columns && at(r, c) !== at(r - 1, c)) pieces.push([c / columns, r / rows, (c + 1) / columns, r / rows]);
        if (r < rows && at(r, c) !== at(r, c - 1)) pieces.push([c / columns, r / rows, c / columns, (r + 1) / rows]);
      }
    return pieces;
  }

  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  // ---- the stage ---------------------------------------------------------------------------------

  class Stage {
    constructor(element) {
      this.element = element;
      this.chosen = null;
      this.hovered = null;
      this.turn = 0;
      this.chips = make("div", "word-chips", element, { role: "group", "aria-label": "Words of the prompt" });
      this.hint = make("p", "hint", element);
      this.hint.textContent = "Point at a word to lay its map over the picture; click to keep it, several at once. Escape lets all go.";
      this.row = make("div", "stage-row", element);
      this.legend = make("div", "stage-legend", element);
      this.note = make("p", "heat-note", element);
      this.live = make("div", "visually-hidden", element, { "aria-live": "polite" });
      this.fields = [];
      element._heat = this; // so that the export buttons save it
      element.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.choose([]);
      });
      window.addEventListener("vitrine-theme", () => this.paint());
      new ResizeObserver(() => {
        if (element.clientWidth && element.clientWidth !== this.width) this.paint();
      }).observe(element);
    }

    destroy() {}

    update(spec, look) {
      if (this.spec !== spec) {
        this.spec = spec;
        this.names = [];
        this.texts = {};
        for (const panel of spec.panels)
          panel.ids.forEach((id, i) => {
            if (!this.names.includes(id)) this.names.push(id);
            this.texts[id] = panel.words[i];
          });
        if (this.chosen === null) this.chosen = String(spec.words || "").split(",").filter(Boolean);
        this.chosen = this.chosen.filter((id) => this.names.includes(id));
        this.hovered = null;
        this.lay();
      }
      this.look = look;
      return this.load();
    }

    /* Chips and canvases for the pictures of the spec. */
    lay() {
      this.chips.replaceChildren();
      const content = new Set(this.spec.panels.flatMap((p) => p.content.map((i) => p.ids[i])));
      for (const id of this.names) {
        const chip = make("button", content.has(id) ? "word-chip" : "word-chip word-small", this.chips, { type: "button", "data-word": id });
        make("span", "word-mark", chip, { "aria-hidden": "true" });
        chip.append(this.texts[id]);
        const twin = id.split("~")[1];
        if (twin) make("sub", "", chip).textContent = twin;
        chip.addEventListener("pointerenter", () => this.hover(id));
        chip.addEventListener("pointerleave", () => this.hover(null));
        chip.addEventListener("focus", () => this.hover(id));
        chip.addEventListener("blur", () => this.hover(null));
        chip.addEventListener("click", () => this.toggle(id));
      }
      this.row.replaceChildren();
      this.fields = this.spec.panels.map((panel) => {
        const figure = make("figure", "stage-picture", this.row);
        const holder = make("div", "heat-stage", figure);
        const canvas = make("canvas", "heat-canvas", holder, { tabindex: "0", role: "img" });
        const tip = make("div", "heat-tip", holder, { "aria-hidden": "true", hidden: "" });
        make("figcaption", "", figure).textContent = panel.title;
        const field = { panel, canvas, tip, cursor: null, thumbs: [] };
        canvas.addEventListener("pointermove", (event) => this.pointed(field, event));
        canvas.addEventListener("pointerleave", () => this.point(field, null));
        canvas.addEventListener("blur", () => this.point(field, null));
        canvas.addEventListener("keydown", (event) => this.keyed(field, event));
        return field;
      });
      if (this.fields.length === 1) this.thumbnails(this.fields[0]);
    }

    /* Beside a single picture, every word's map at once; the chips say the same to who does not see them. */
    thumbnails(field) {
      const grid = make("div", "stage-thumbs", this.row, { "aria-hidden": "true" });
      field.thumbs = this.names.map((id) => {
        const box = make("div", "stage-thumb", grid);
        const canvas = make("canvas", "", box);
        make("div", "", box).textContent = this.texts[id];
        box.addEventListener("pointerenter", () => this.hover(id));
        box.addEventListener("pointerleave", () => this.hover(null));
        box.addEventListener("click", () => this.toggle(id));
        return { id, canvas };
      });
    }

    paintThumbs(field, ratio) {
      const [height, width] = field.panel.size;
      for (const { id, canvas } of field.thumbs) {
        const map = this.map(field, id);
        canvas.width = Math.round(112 * ratio * Math.min(1, width / height));
        canvas.height = Math.round(112 * ratio * Math.min(1, height / width));
        canvas.style.width = `${canvas.width / ratio}px`;
        canvas.parentElement.classList.toggle("chosen", this.chosen.includes(id));
        const pen = canvas.getContext("2d");
        pen.filter = "grayscale(1)";
        pen.drawImage(field.image, 0, 0, canvas.width, canvas.height);
        pen.filter = "none";
        pen.imageSmoothingEnabled = false;
        if (map) pen.drawImage(this.layer(field, map, id, false), 0, 0, canvas.width, canvas.height);
      }
    }

    get shown() {
      return this.hovered ? [this.hovered] : this.chosen;
    }

    hover(id) {
      if (this.hovered === id) return;
      this.hovered = id;
      this.paint();
    }

    toggle(id) {
      this.hovered = null;
      this.choose(this.chosen.includes(id) ? this.chosen.filter((other) => other !== id) : [...this.chosen, id]);
    }

    choose(ids) {
      this.chosen = ids;
      this.live.textContent = ids.length ? `shown: ${ids.map((id) => this.texts[id]).join(", ")}` : "no word is shown";
      this.paint();
      remember(this);
    }

    /* The part that a picture is looked at by: as the controls say where it has such maps, else all of it. */
    partOf(panel) {
      const { part, first, last, layer, head } = this.look;
      const names = panel.parts[part];
      if (!names || part === "all") return { part: "all", first: 0, last: 0 };
      const within = (value) => Math.min(Math.max(Math.round(value) - 1, 0), names.length - 1);
      if (part === "steps") {
        const low = Math.min(within(first), within(last));
        return { part, first: low, last: Math.max(within(first), within(last)) };
      }
      const at = within(part === "layer" ? layer : head);
      return { part, first: at, last: at };
    }

    async load() {
      const turn = ++this.turn;
      try {
        const wanted = this.fields.map(async (field) => {
          const { panel } = field;
          const { part, first, last } = this.partOf(panel);
          const maps = message(`/maps/${panel.key}/words?part=${part}&first=${first}&last=${last}`, Float32Array);
          const after = part === "steps" && panel.stages.length ? Number(panel.parts.steps[last]) : null;
          const image = picture(after === null ? `/maps/${panel.key}/image` : `/maps/${panel.key}/stage?at=${after}`);
          const truth = panel.truth ? message(`/maps/${panel.key}/truth`, Uint8Array) : null;
          return [await maps, await image, await truth, after];
        });
        const found = await Promise.all([vitrine.data(), ...wanted]);
        if (turn !== this.turn) return;
        this.tables = found[0].tables;
        this.fields.forEach((field, i) => {
          [field.maps, field.image, field.truth, field.after] = found[i + 1];
          field.large = new Map();
        });
        this.paint();
        remember(this);
      } catch (error) {
        if (turn === this.turn) this.note.textContent = error.message;
      }
    }

    /* One word's map in one picture, enlarged where that is asked for; null where the picture has no such word. */
    map(field, id) {
      const row = field.panel.ids.indexOf(id);
      if (row < 0) return null;
      const [, rows, columns] = field.maps.header.shape;
      const key = `${row} ${this.look.smooth}`;
      if (!field.large.has(key)) {
        const own = { values: field.maps.values.subarray(row * rows * columns, (row + 1) * rows * columns), rows, columns };
        const by = Math.min(1, 256 / Math.max(...field.panel.size));
        const size = field.panel.size.map((n) => Math.round(n * by));
        const map = this.look.smooth ? enlarged(own, ...size) : own;
        field.large.set(key, { ...map, row, ends: ends(map.values) });
      }
      return field.large.get(key);
    }

    /* The largest value of all words and pictures: what colours run to, unless each word has its own scale. */
    get common() {
      return Math.max(1e-12, ...this.fields.map((field) => ends(field.maps.values)[1]));
    }

    high(map) {
      return this.look.scale === "own" ? Math.max(map.ends[1], 1e-12) : this.common;
    }

    /* The value that a map must exceed to be in the mask: as `masks` of viz/figures/word_maps.py has it. */
    least(field, map) {
      const { threshold, rule } = this.look;
      if (rule === "own") return map.ends[0] + threshold * (map.ends[1] - map.ends[0]);
      const most = Math.max(...field.panel.ids.map((id) => this.map(field, id).ends[1]));
      return threshold * most;
    }

    colour(id) {
      const palette = this.spec.palette;
      return palette[Math.max(this.chosen.indexOf(id), 0) % palette.length];
    }

    paint() {
      if (!this.spec || !this.fields.length || !this.fields[0].maps) return;
      const began = performance.now();
      this.width = this.element.clientWidth;
      const several = this.shown.length > 1;
      for (const chip of this.chips.children) {
        const id = chip.dataset.word;
        const on = this.chosen.includes(id);
        chip.setAttribute("aria-pressed", String(on));
        chip.classList.toggle("pointed", this.hovered === id);
        chip.firstChild.style.background = on && this.chosen.length > 1 ? this.colour(id) : "";
      }
      for (const field of this.fields) {
        this.paintOne(field, several);
        this.paintThumbs(field, window.devicePixelRatio || 1);
      }
      this.key(several);
      this.describe();
      this.element.dataset.drawn = (performance.now() - began).toFixed(1);
      this.element.dataset.shown = this.shown.join(",");
    }

    paintOne(field, several) {
      const [height, width] = field.panel.size;
      const room = Math.min((this.width - 17 * (this.fields.length - 1)) / this.fields.length, 512, (560 * width) / height);
      const ratio = window.devicePixelRatio || 1;
      const [w, h] = [Math.max(room, 60), (Math.max(room, 60) * height) / width];
      field.canvas.width = Math.round(w * ratio);
      field.canvas.height = Math.round(h * ratio);
      field.canvas.style.width = `${w}px`;
      field.canvas.style.height = `${h}px`;
      field.w = w;
      field.h = h;
      this.scene(field, field.canvas.getContext("2d"), field.canvas.width, field.canvas.height, ratio, several);
    }

    scene(field, pen, w, h, ratio, several) {
      pen.imageSmoothingEnabled = w < 3 * field.image.naturalWidth; // a small picture keeps crisp pixels
      const ids = this.look.show === "none" ? [] : this.shown;
      pen.filter = ids.length && this.look.grey ? "grayscale(1)" : "none";
      pen.drawImage(field.image, 0, 0, w, h);
      pen.filter = "none";
      pen.imageSmoothingEnabled = false;
      for (const id of ids) {
        const map = this.map(field, id);
        if (!map) continue;
        pen.drawImage(this.layer(field, map, id, several), 0, 0, w, h);
        const least = this.least(field, map);
        if (this.look.show === "mask") this.lines(pen, edges((i) => map.values[i] > least, map.rows, map.columns), w, h, ratio, this.colour(id), "#ffffff");
        if (this.look.outline && field.truth) this.outline(field, map.row, pen, w, h, ratio);
      }
      const cursor = field.cursor;
      if (cursor) {
        const [, rows, columns] = field.maps.header.shape;
        pen.strokeStyle = "#000000";
        pen.lineWidth = 3 * ratio;
        pen.strokeRect((cursor[1] * w) / columns, (cursor[0] * h) / rows, w / columns, h / rows);
        pen.strokeStyle = "#ffffff";
        pen.lineWidth = 1.2 * ratio;
        pen.strokeRect((cursor[1] * w) / columns, (cursor[0] * h) / rows, w / columns, h / rows);
      }
    }

    outline(field, row, pen, w, h, ratio) {
      const at = field.truth.header.rows.indexOf(row);
      if (at < 0) return;
      const [, rows, columns] = field.truth.header.shape;
      const from = at * rows * columns;
      this.lines(pen, edges((i) => field.truth.values[from + i] > 0, rows, columns), w, h, ratio, "#00e5a0", "#000000");
    }

    lines(pen, pieces, w, h, ratio, colour, around) {
      for (const [stroke, wide] of [[around, 4], [colour, 2]]) {
        pen.strokeStyle = stroke;
        pen.lineWidth = wide * ratio;
        pen.lineCap = "square";
        pen.beginPath();
        for (const [a, b, c, d] of pieces) {
          pen.moveTo(a * w, b * h);
          pen.lineTo(c * w, d * h);
        }
        pen.stroke();
      }
    }

    /* A map as a small canvas: colours and opacity follow the value, or flat where it is a mask. */
    layer(field, map, id, several) {
      const { show, opacity } = this.look;
      const canvas = document.createElement("canvas");
      canvas.width = map.columns;
      canvas.height = map.rows;
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(map.columns, map.rows);
      const table = this.table();
      const own = rgb(this.colour(id));
      const high = this.high(map);
      const least = show === "heat" ? -1 : this.least(field, map);
      const flat = show === "mask";
      map.values.forEach((value, i) => {
        if (value <= least) return;
        const share = flat ? 0.75 : Math.min(value / high, 1);
        const from = several || flat ? own : table.subarray(3 * Math.round(255 * share), 3 * Math.round(255 * share) + 3);
        pixels.data.set([from[0], from[1], from[2], Math.round(255 * opacity * share)], 4 * i);
      });
      context.putImageData(pixels, 0, 0);
      return canvas;
    }

    table() {
      const name = this.tables[this.look.colours] ? this.look.colours : "viridis";
      this.decoded = this.decoded || {};
      if (!this.decoded[name]) this.decoded[name] = bytes(this.tables[name]);
      return this.decoded[name];
    }

    /* What the colours say: one bar from nothing to the largest value, or a swatch a word. */
    key(several) {
      this.legend.replaceChildren();
      const { show, scale, threshold, rule } = this.look;
      if (!this.shown.length || show === "none") return;
      const first = this.fields.find((field) => this.shown.some((id) => field.panel.ids.includes(id)));
      if (!first) return;
      const { unit, part } = first.maps.header;
      const map = this.map(first, this.shown.find((id) => first.panel.ids.includes(id)));
      if (several || show === "mask")
        for (const id of this.shown) {
          const item = make("span", "key-word", this.legend);
          make("span", "word-mark", item, { "aria-hidden": "true" }).style.background = this.colour(id);
          item.append(this.texts[id]);
        }
      if (show !== "mask") {
        make("span", "", this.legend).textContent = "0";
        const bar = make("canvas", "key-bar", this.legend, { width: 256, height: 1, "aria-hidden": "true" });
        const pixels = bar.getContext("2d").createImageData(256, 1);
        const table = this.table();
        const grey = [120, 120, 120];
        for (let i = 0; i < 256; i++) pixels.data.set([...(several ? grey : table.subarray(3 * i, 3 * i + 3)), Math.round(this.look.opacity * i)], 4 * i);
        bar.getContext("2d").putImageData(pixels, 0, 0);
        const own = scale === "own";
        const text = own && several ? "each word's largest" : number(this.high(map));
        make("span", "", this.legend).textContent = `${text} ${unit}, summed over ${part}` + (own ? "; a scale for each word" : "; one scale for all words" + (this.fields.length > 1 ? " and both pictures" : ""));
      }
      if (show !== "heat") make("span", "", this.legend).textContent = `above ${Math.round(100 * threshold)} % of ${rule === "own" ? "each word's own range" : "the largest value of all words"}`;
    }

    describe() {
      const words = this.shown.map((id) => this.texts[id]).join(", ");
      for (const field of this.fields) {
        const what = words && this.look.show !== "none" ? `, with where ${words} landed` : "";
        field.canvas.setAttribute("aria-label", `The picture drawn for ${field.panel.title}${what}. Arrow keys read the values.`);
      }
      const [, rows, columns] = this.fields[0].maps.header.shape;
      const [, fullRows, fullColumns] = this.fields[0].maps.header.full;
      const said = [`each map has ${fullRows} × ${fullColumns} places${fullRows > rows ? `, shown as means of blocks, ${rows} × ${columns}` : ""}`];
      said.push(this.look.smooth ? "smoothed between them (bicubic): finer edges than these are not measured" : "drawn as they are");
      const after = this.fields[0].after;
      if (after !== null && after !== undefined) said.push(`the picture as it was after step ${after}`);
      if (this.look.show === "heat" || this.look.show === "above") said.push("opacity follows the value");
      if (this.look.outline && this.fields.some((f) => f.truth) && this.shown.length) said.push("green: the thing as it was drawn, found by its colour");
      this.note.textContent = said.join(" · ");
    }

    // ---- reading values ----------------------------------------------------------------------------

    pointed(field, event) {
      const box = field.canvas.getBoundingClientRect();
      const [, rows, columns] = field.maps.header.shape;
      const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
      const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
      this.point(field, row >= 0 && column >= 0 && row < rows && column < columns ? [row, column] : null);
    }

    point(field, cell, keys) {
      if (String(cell) === String(field.cursor)) return;
      field.cursor = cell;
      this.paintOne(field, this.shown.length > 1);
      field.tip.hidden = !cell;
      if (!cell) return;
      const [, rows, columns] = field.maps.header.shape;
      const at = cell[0] * columns + cell[1];
      const value = (id) => field.maps.values[field.panel.ids.indexOf(id) * rows * columns + at];
      const ranked = [...field.panel.ids].sort((a, b) => value(b) - value(a)).slice(0, 5);
      const listed = [...new Set([...this.shown.filter((id) => field.panel.ids.includes(id)), ...ranked])].slice(0, 6);
      field.tip.replaceChildren();
      make("strong", "", field.tip).textContent = `row ${cell[0] + 1}, column ${cell[1] + 1}`;
      for (const id of listed) make("div", "", field.tip).textContent = `${this.texts[id]} ${number(value(id))}`;
      const left = ((cell[1] + 1) * field.w) / columns + 8;
      field.tip.style.left = `${left + field.tip.offsetWidth > field.w ? Math.max(0, left - field.tip.offsetWidth - field.w / columns - 16) : left}px`;
      field.tip.style.top = `${Math.min((cell[0] * field.h) / rows, Math.max(field.h - field.tip.offsetHeight, 0))}px`;
      if (keys) this.live.textContent = field.tip.innerText.replace(/\n/g, ", ");
    }

    keyed(field, event) {
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const [, rows, columns] = field.maps.header.shape;
      const [row, column] = field.cursor || [0, 0];
      const [down, right] = field.cursor ? moves[event.key] : [0, 0];
      this.point(field, [Math.min(Math.max(row + down, 0), rows - 1), Math.min(Math.max(column + right, 0), columns - 1)], true);
    }

    // ---- saving ------------------------------------------------------------------------------------

    drawing() {
      const gap = 16;
      const side = 480;
      const sizes = this.fields.map(({ panel }) => [(side * panel.size[1]) / Math.max(...panel.size), (side * panel.size[0]) / Math.max(...panel.size)]);
      const canvas = document.createElement("canvas");
      const width = sizes.reduce((sum, [w]) => sum + w + gap, gap);
      const height = Math.max(...sizes.map(([, h]) => h)) + 96;
      canvas.width = 2 * Math.max(width, 720);
      canvas.height = 2 * height;
      const pen = canvas.getContext("2d");
      pen.scale(2, 2);
      pen.fillStyle = "#ffffff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.font = "13px sans-serif";
      let x = gap;
      this.fields.forEach((field, i) => {
        const [w, h] = sizes[i];
        pen.fillStyle = "#1b2330";
        pen.fillText(field.panel.title, x, 20, w);
        const part = document.createElement("canvas");
        part.width = 2 * w;
        part.height = 2 * h;
        this.scene(field, part.getContext("2d"), part.width, part.height, 2, this.shown.length > 1);
        pen.drawImage(part, x, 30, w, h);
        x += w + gap;
      });
      let at = gap;
      for (const id of this.shown) {
        pen.fillStyle = this.shown.length > 1 || this.look.show === "mask" ? this.colour(id) : "#1b2330";
        pen.fillText(this.texts[id], at, height - 44);
        at += pen.measureText(this.texts[id]).width + 14;
      }
      pen.fillStyle = "#556070";
      pen.fillText(this.legend.innerText.replace(/\s+/g, " "), gap, height - 26, canvas.width / 2 - 2 * gap);
      pen.fillText(this.note.textContent, gap, height - 8, canvas.width / 2 - 2 * gap);
      return canvas;
    }

    async save(kind) {
      const canvas = this.drawing();
      let blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
      if (kind === "svg") {
        const [w, h] = [canvas.width / 2, canvas.height / 2];
        const size = `width="${w}" height="${h}"`;
        blob = new Blob([`<svg xmlns="http://www.w3.org/2000/svg" ${size} viewBox="0 0 ${w} ${h}"><image ${size} href="${canvas.toDataURL()}"/></svg>`], { type: "image/svg+xml" });
      }
      download(blob, `vitrine-words.${kind}`);
    }
  }

  // ---- what the server and the link are told ---------------------------------------------------------

  let waiting = 0;

  /* Once nothing moved for a moment: the view into the link, and to the tables what they are made of. */
  function remember(stage) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (!stage.element.isConnected || !stage.look) return;
      const { look } = stage;
      const said = stage.partOf(stage.spec.panels[0]);
      const params = { words: stage.chosen.join(","), tab: stage.tab === "words" ? "" : stage.tab || "" };
      for (const [name, usual] of Object.entries(USUAL)) {
        const value = typeof look[name] === "boolean" ? Number(look[name]) : look[name];
        params[name] = value === (typeof usual === "boolean" ? Number(usual) : usual) ? "" : String(value);
      }
      params.first = said.part === "all" ? "" : String(said.first + 1);
      params.last = said.part === "steps" ? String(said.last + 1) : "";
      const settled = { keys: stage.spec.panels.map((p) => p.key), ...said, threshold: look.threshold, rule: look.rule, smooth: look.smooth };
      const told = JSON.stringify([params, settled]);
      if (told === stage.told) return;
      stage.told = told;
      window.dash_clientside.set_props("shell-view", { data: { path: "/diffusion", params } });
      window.dash_clientside.set_props(`${PAGE}-settled`, { data: settled });
    }, 200);
  }

  /* Which sliders belong to the part that is looked at, and what they say. */
  function sliders(spec, look) {
    for (const box of document.querySelectorAll(".diffusion [class*='of-']")) {
      const of = box.className.match(/of-(\w+)/)[1];
      box.hidden = of !== look.part;
    }
    const names = spec ? spec.panels[0].parts : {};
    const clamp = (value, list) => list[Math.min(Math.max(Math.round(value) - 1, 0), list.length - 1)];
    const said = { opacity: `${Math.round(100 * look.opacity)} %`, threshold: `${Math.round(100 * look.threshold)} %` };
    if (names.steps && names.steps.length) for (const end of ["first", "last"]) said[end] = clamp(look[end], names.steps);
    for (const kind of ["layer", "head"]) if (names[kind] && names[kind].length) said[kind] = clamp(look[kind], names[kind]);
    for (const [name, words] of Object.entries(said)) {
      const place = byId(`${name}-said`);
      if (place) place.textContent = words;
      const input = byId(name);
      if (input) input.setAttribute("aria-valuetext", words);
    }
  }

  const numeric = new Set(["opacity", "threshold", "first", "last", "layer", "head"]);

  function draw(spec, ...given) {
    const look = {};
    LOOK.forEach((name, i) => (look[name] = numeric.has(name) ? Number(given[i]) : given[i]));
    look.smooth = Boolean(look.smooth);
    look.grey = Boolean(look.grey);
    look.outline = Boolean(look.outline);
    sliders(spec, look);
    const element = byId("stage");
    if (!element || !spec) return;
    if (!element._heat) new Stage(element);
    element._heat.tab = given[LOOK.length];
    element._heat.update(spec, look);
  }

  /* A small map was picked: its word, and its step or layer, go to the picture. */
  function pick() {
    const same = window.dash_clientside.no_update;
    const trigger = (window.dash_clientside.callback_context.triggered[0] || {}).prop_id || "";
    const axis = trigger.includes("-by-step-") ? "step" : "layer";
    const cell = window.dash_clientside.callback_context.triggered[0].value;
    const stage = byId("stage") && byId("stage")._heat;
    if (!cell || !stage) return [same, same, same, same];
    const panel = stage.spec.panels.find((p) => p.name === trigger.split("-cell")[0].slice(-1)) || stage.spec.panels[0];
    stage.choose([panel.ids[cell.row]]);
    stage.element.scrollIntoView({ block: "nearest" });
    return axis === "step" ? ["steps", cell.column + 1, cell.column + 1, same] : ["layer", same, same, cell.column + 1];
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { diffusion: { draw, pick } });
})();
