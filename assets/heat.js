/* The canvas heat map: uint8 values and a table of 256 colours; opacity, cut-off, colours, zoom and
   read-out need no round trip. No framework, no eval. See viz/components/heat_canvas.py for the spec. */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const { bytes, dequantise, download, fetched, make, unpack } = vitrine.lib;
  const groups = new Map();
  const every = new Set(); // all maps of the page, whose cursors are linked: see assets/viewer.js
  const GAP = 4; // px between the small maps of a sprite
  const BETWEEN = 12; // px between a picture and its map side by side
  const DECADES = 99; // a logarithmic scale spreads the hundredth part of its end from zero

  // ---- reading -------------------------------------------------------------------------------

  async function load(source) {
    if (!source) return null;
    if (typeof source === "string") return unpack(await (await fetched(source)).arrayBuffer());
    return unpack(bytes(source.base64).buffer);
  }

  function picture(url) {
    if (!url) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("the image beneath the map could not be fetched"));
      image.src = url;
    });
  }

  function mask(image) {
    if (!image) return null;
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    const inside = (r, c) => r >= 0 && c >= 0 && r < height && c < width && data[4 * (r * width + c)] > 127;
    const edges = [];
    for (let r = 0; r <= height; r++)
      for (let c = 0; c <= width; c++) {
        if (inside(r, c) !== inside(r - 1, c)) edges.push([c / width, r / height, (c + 1) / width, r / height]);
        if (inside(r, c) !== inside(r, c - 1)) edges.push([c / width, r / height, c / width, (r + 1) / height]);
      }
    return edges;
  }

  // ---- values and colours --------------------------------------------------------------------

  const bends = {
    linear: (t) => t,
    sqrt: Math.sqrt,
    log: (t) => Math.log1p(DECADES * t) / Math.log1p(DECADES),
  };
  const unbends = { linear: (t) => t, sqrt: (t) => t * t, log: (t) => Math.expm1(t * Math.log1p(DECADES)) / DECADES };

  /* Where a value lies on the scale, 0 to 1; of a signed one both halves are stretched alike, from zero outwards. */
  function share(value, ends, stretch, signed) {
    const t = Math.min(1, Math.max(0, (value - ends[0]) / (ends[1] - ends[0] || 1)));
    const bend = bends[stretch] || bends.linear;
    return signed ? 0.5 + 0.5 * Math.sign(t - 0.5) * bend(Math.abs(2 * t - 1)) : bend(t);
  }

  /* The value that lies there. */
  function valueOf(t, ends, stretch, signed) {
    const unbend = unbends[stretch] || unbends.linear;
    const at = signed ? 0.5 + 0.5 * Math.sign(t - 0.5) * unbend(Math.abs(2 * t - 1)) : unbend(t);
    return ends[0] + at * (ends[1] - ends[0]);
  }

  function colourOf(t, table, opacity) {
    const i = 3 * Math.round(255 * t);
    const alpha = Math.round(255 * opacity);
    return (alpha << 24) | (table[i + 2] << 16) | (table[i + 1] << 8) | table[i];
  }

  function number(value) {
    if (!Number.isFinite(value)) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    const text = size >= 1e5 || size < 1e-4 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
    return text.replace(/-/g, "−");
  }

  function visible(text) {
    const word = String(text);
    if (/^[!-~]{1,28}$/.test(word)) return word; // most tokens
    if (!word) return "∅";
    const shown = word.replace(/^ +| +$/g, (s) => "·".repeat(s.length)).replace(/[\n\r]/g, "⏎").replace(/\t/g, "⇥");
    // characters that hide or reorder others are written as their code
    const safe = shown.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `⟨${c.codePointAt(0).toString(16).toUpperCase()}⟩`);
    return safe.length > 28 ? safe.slice(0, 27) + "…" : safe;
  }

  // ---- painters: the same scene on a canvas and as SVG -----------------------------------------

  function canvasPainter(context, font) {
    return {
      rect(x, y, w, h, fill) {
        context.fillStyle = fill;
        context.fillRect(x, y, w, h);
      },
      frame(x, y, w, h, stroke, width) {
        context.strokeStyle = stroke;
        context.lineWidth = width;
        context.strokeRect(x, y, w, h);
      },
      text(words, x, y, { align = "left", base = "middle", turn = 0, size = 12, fill, weight = 400 }) {
        context.save();
        context.translate(x, y);
        context.rotate((turn * Math.PI) / 180);
        context.font = `${weight} ${size}px ${font}`;
        context.textAlign = align;
        context.textBaseline = base;
        context.fillStyle = fill;
        context.fillText(words, 0, 0);
        context.restore();
      },
      image(source, crop, place, smooth) {
        context.imageSmoothingEnabled = smooth;
        context.drawImage(source, ...crop, ...place);
      },
      lines(pieces, stroke, width) {
        context.strokeStyle = stroke;
        context.lineWidth = width;
        context.lineCap = "square";
        context.beginPath();
        for (const [a, b, c, d] of pieces) {
          context.moveTo(a, b);
          context.lineTo(c, d);
        }
        context.stroke();
      },
      clip(x, y, w, h) {
        context.save();
        context.beginPath();
        context.rect(x, y, w, h);
        context.clip();
      },
      unclip() {
        context.restore();
      },
    };
  }

  function svgPainter(width, height, font) {
    const parts = [];
    const xml = (s) => String(s).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
    const round = (v) => Math.round(100 * v) / 100;
    let clips = 0;
    return {
      rect(x, y, w, h, fill) {
        parts.push(`<rect x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}" fill="${fill}"/>`);
      },
      frame(x, y, w, h, stroke, line) {
        const box = `x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"`;
        parts.push(`<rect ${box} fill="none" stroke="${stroke}" stroke-width="${line}"/>`);
      },
      text(words, x, y, { align = "left", base = "middle", turn = 0, size = 12, fill, weight = 400 }) {
        const anchor = { left: "start", right: "end", center: "middle" }[align];
        const baseline = { middle: "central", top: "hanging", bottom: "auto" }[base];
        const place = `transform="translate(${round(x)} ${round(y)}) rotate(${turn})"`;
        const style = `font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}"`;
        parts.push(`<text ${place} ${style} dominant-baseline="${baseline}" xml:space="preserve">${xml(words)}</text>`);
      },
      image(source, crop, [x, y, w, h], smooth) {
        const canvas = document.createElement("canvas");
        canvas.width = Math.max(1, Math.ceil(crop[2]));
        canvas.height = Math.max(1, Math.ceil(crop[3]));
        canvas.getContext("2d").drawImage(source, ...crop, 0, 0, canvas.width, canvas.height);
        const box = `x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"`;
        const look = smooth ? "" : ' style="image-rendering:pixelated"';
        parts.push(`<image ${box} preserveAspectRatio="none"${look} href="${canvas.toDataURL()}"/>`);
      },
      lines(pieces, stroke, line) {
        const path = pieces.map(([a, b, c, d]) => `M${round(a)} ${round(b)}L${round(c)} ${round(d)}`).join("");
        parts.push(`<path d="${path}" fill="none" stroke="${stroke}" stroke-width="${line}" stroke-linecap="square"/>`);
      },
      clip(x, y, w, h) {
        const id = `clip${clips++}`;
        const box = `x="${round(x)}" y="${round(y)}" width="${round(w)}" height="${round(h)}"`;
        parts.push(`<clipPath id="${id}"><rect ${box}/></clipPath><g clip-path="url(#${id})">`);
      },
      unclip() {
        parts.push("</g>");
      },
      done() {
        const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
        return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${xml(font)}">${parts.join("")}</svg>`;
      },
    };
  }

  // ---- one heat map ----------------------------------------------------------------------------

  class Heat {
    constructor(element) {
      this.element = element;
      this.view = { x: 0, y: 0, k: 1 };
      this.settings = { opacity: 0.85, threshold: 0, colours: null, stretch: "linear", outlined: true, mode: "over" };
      this.cursor = null;
      this.turn = 0;
      every.add(this);
      this.exact = new Map();
      this.bar = make("div", "heat-bar", element);
      this.stage = make("div", "heat-stage", element);
      this.canvas = make("canvas", "heat-canvas", this.stage, { tabindex: "0", role: "application" });
      this.top = make("canvas", "heat-top", this.stage, { "aria-hidden": "true" });
      this.tip = make("div", "heat-tip", this.stage, { "aria-hidden": "true", hidden: "" });
      this.note = make("p", "heat-note", element);
      this.live = make("div", "visually-hidden", element, { "aria-live": "polite" });
      this.listen();
    }

    listen() {
      const canvas = this.canvas;
      canvas.addEventListener("pointermove", (e) => this.moved(e));
      canvas.addEventListener("pointerdown", (e) => this.pressed(e));
      canvas.addEventListener("pointerup", (e) => this.released(e));
      canvas.addEventListener("pointerleave", () => this.point(null));
      canvas.addEventListener("dblclick", () => this.zoomTo({ x: 0, y: 0, k: 1 }));
      canvas.addEventListener("wheel", (e) => this.wheeled(e), { passive: false });
      canvas.addEventListener("keydown", (e) => this.keyed(e));
      canvas.addEventListener("focus", () => this.overlay());
      canvas.addEventListener("blur", () => this.point(null));
      this.onTheme = () => this.draw();
      window.addEventListener("vitrine-theme", this.onTheme);
      this.watcher = new ResizeObserver(() => {
        if (this.room !== this.width) this.draw();
      });
      this.watcher.observe(this.element);
    }

    destroy() {
      every.delete(this);
      this.watcher.disconnect();
      window.removeEventListener("vitrine-theme", this.onTheme);
      const group = groups.get(this.spec && this.spec.group);
      if (group) group.delete(this);
      this.element.replaceChildren();
      delete this.element._heat;
    }

    async update(spec) {
      const turn = ++this.turn;
      const before = this.spec && groups.get(this.spec.group);
      if (before) before.delete(this);
      this.spec = spec;
      this.element.setAttribute("aria-busy", "true");
      let parts;
      try {
        parts = await Promise.all([
          spec.tables || vitrine.data().then((d) => d.tables),
          load(spec.map),
          picture(spec.image),
          picture(spec.outline).then(mask),
        ]);
      } catch (error) {
        if (turn === this.turn) this.fail(error.message);
        return;
      }
      if (turn !== this.turn) return;
      this.element.removeAttribute("aria-busy");
      const shape = this.map && String(this.map.header.shape);
      [this.tables, this.map, this.image, this.edges] = parts;
      if (shape !== (this.map && String(this.map.header.shape))) this.view = { x: 0, y: 0, k: 1 };
      this.values = this.map && dequantise(this.map.header);
      this.pools = new Map();
      this.exact.clear();
      this.selected = spec.selected || null;
      this.cursor = null;
      this.choose(spec);
      if (spec.group) {
        if (!groups.has(spec.group)) groups.set(spec.group, new Set());
        groups.get(spec.group).add(this);
      }
      this.canvas.hidden = false;
      this.controls();
      this.draw();
    }

    /* Settings the person changed stay; the others come from the spec. */
    choose(spec) {
      this.changed = this.changed || {};
      const wished = { opacity: spec.opacity, threshold: spec.threshold, stretch: spec.stretch, colours: spec.colours, mode: spec.mode };
      for (const [name, value] of Object.entries(wished))
        if (value !== undefined && value !== null && !(name in this.changed)) this.settings[name] = value;
      const fitting = this.choices();
      if (!fitting.includes(this.settings.colours)) this.settings.colours = fitting[0];
    }

    choices() {
      const signed = this.map && this.map.header.signed;
      return signed ? ["blue-white-red"] : this.spec.choices || ["viridis", "cividis", "greys"];
    }

    fail(words) {
      this.element.removeAttribute("aria-busy");
      this.map = this.image = null;
      this.canvas.hidden = true;
      this.bar.replaceChildren();
      this.top.getContext("2d").clearRect(0, 0, this.top.width, this.top.height);
      this.note.textContent = words;
      this.live.textContent = words;
    }

    // ---- shape and place -----------------------------------------------------------------------

    /* Whether the picture stands alone and its map beside it, at the same size. */
    get beside() {
      return Boolean(this.image && this.map && this.settings.mode === "beside");
    }

    /* The pixels that there are across. */
    get room() {
      const { paddingLeft, paddingRight } = getComputedStyle(this.element);
      return Math.max(0, this.element.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight));
    }

    /* Whether the map fills the screen. */
    get large() {
      return document.fullscreenElement === this.element;
    }

    get sprite() {
      return Boolean(this.map && this.map.header.shape.length === 4);
    }

    /* Rows and columns of what can be pointed at. */
    get cells() {
      if (this.map) return this.map.header.shape.slice(0, 2);
      return this.spec.grid || [this.image.naturalHeight, this.image.naturalWidth];
    }

    get ends() {
      const { vmin, vmax } = this.map.header;
      return this.spec.scale || [vmin, vmax];
    }

    label(axis, index) {
      const header = this.map ? this.map.header : {};
      const names = axis === 0 ? header.rows : header.columns;
      const step = (header.pooled || [1, 1])[axis];
      const place = index * step;
      return names && names[place] !== undefined ? { text: visible(names[place]), place } : { text: null, place };
    }

    look() {
      const style = getComputedStyle(this.element);
      const of = (name, fallback) => (!this.onPaper && style.getPropertyValue(name).trim()) || fallback;
      return {
        ink: of("--v-ink", "#1b2330"),
        muted: of("--v-muted", "#556070"),
        edge: of("--v-edge", "#7b8696"),
        surface: of("--v-surface", "#ffffff"),
        accent: of("--v-accent", "#1d5fbf"),
        font: style.fontFamily || "sans-serif",
      };
    }

    layout(width, look, titled) {
      const [rows, columns] = this.cells;
      const over = Boolean(this.image);
      const measure = document.createElement("canvas").getContext("2d");
      measure.font = `12px ${look.font}`;
      const widest = (axis, n) => Math.min(Math.max(0, ...this.longest(axis, n).map((word) => measure.measureText(word).width)), 130);
      const named = !over && this.map;
      const rowWidth = named ? widest(0, rows) : 0;
      const columnWidth = named ? widest(1, columns) : 0;
      const left = named ? rowWidth + 30 : 2;
      const right = this.map && this.spec.bar !== false ? 94 : 2;
      const top = titled ? 48 : 6;
      const room = Math.max(40, width - left - right);
      const most = this.large ? Math.max(200, window.innerHeight - 150) : this.spec.height || 560;
      let w, h;
      if (over) {
        const ratio = this.image.naturalHeight / this.image.naturalWidth;
        const tall = this.large ? most : Math.min(most, Math.max(280, 0.42 * window.innerHeight)); // what is said of it is in sight
        w = Math.min(this.beside ? (room - BETWEEN) / 2 : room, tall / ratio);
        h = w * ratio;
      } else {
        const cap = this.sprite ? 110 : 40;
        const cell = Math.min(cap, room / columns, this.spec.fit === "wide" ? Infinity : most / rows);
        w = cell * columns;
        h = Math.max(cell, rows === 1 ? 22 : Math.min(16, most / rows)) * rows;
        if (h > most) h = most;
      }
      const slanted = named && columnWidth > w / columns - 4;
      const bottom = named ? (slanted ? columnWidth * 0.87 + 34 : 42) : 4;
      const height = top + Math.max(h, right > 2 ? 120 : 0) + bottom;
      const second = over && this.beside ? left + w + BETWEEN : null; // where the map lies beside its picture
      return { left, top, w, h, right, bottom, slanted, width, height, columnWidth, second };
    }

    /* The longest names along an axis; measuring thousands is slow. */
    longest(axis, n) {
      return Array.from({ length: n }, (_, i) => this.tick(axis, i)).sort((a, b) => b.length - a.length).slice(0, 20);
    }

    tick(axis, index) {
      const { text, place } = this.label(axis, index);
      return text === null ? String(place) : text;
    }

    // ---- drawing -------------------------------------------------------------------------------

    draw() {
      if (!this.spec || (!this.map && !this.image)) return;
      this.width = this.room;
      if (!this.width) return;
      const began = performance.now();
      const look = this.look();
      const place = (this.place = this.layout(this.width, look, false));
      const ratio = window.devicePixelRatio || 1;
      for (const canvas of [this.canvas, this.top]) {
        canvas.width = Math.round(place.width * ratio);
        canvas.height = Math.round(place.height * ratio);
        canvas.style.width = `${place.width}px`;
        canvas.style.height = `${place.height}px`;
      }
      const context = this.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, place.width, place.height);
      this.scene(canvasPainter(context, look.font), place, look, ratio);
      this.describe();
      this.overlay();
      this.element.dataset.drawn = (performance.now() - began).toFixed(1);
    }

    table() {
      const name = this.settings.colours;
      this.decoded = this.decoded || {};
      if (!this.decoded[name]) this.decoded[name] = bytes(this.tables[name]);
      return this.decoded[name];
    }

    /* The colour of each of the 256 codes; over an image the opacity follows the value. */
    palette(values = this.values) {
      const { threshold, stretch, opacity } = this.settings;
      const ends = this.ends;
      const least = threshold * Math.max(Math.abs(ends[0]), Math.abs(ends[1]));
      const table = this.table();
      const signed = this.map.header.signed;
      return Uint32Array.from(values, (value) => {
        const t = share(value, ends, stretch, signed);
        const strength = signed ? Math.abs(2 * t - 1) : t;
        if (threshold > 0 && Math.abs(value) < least) return 0;
        return colourOf(t, table, this.image && this.settings.mode !== "map" ? opacity * strength : 1);
      });
    }

    /* The map as a canvas, one pixel a value; blocks of `step` keep their value of largest magnitude. */
    source(step) {
      const { shape, signed } = this.map.header;
      const [lines, rows, wide, columns] = this.sprite ? [shape[0], shape[2], shape[1], shape[3]] : [1, shape[0], 1, shape[1]];
      let { codes, height, width } = this.pools.get(step) || {};
      if (!codes) {
        const middle = signed ? 127.5 : -1;
        height = Math.ceil(rows / step);
        width = Math.ceil(columns / step);
        codes = this.map.codes;
        if (step > 1) {
          const from = codes;
          codes = new Uint8Array(lines * wide * height * width);
          const blank = signed ? 128 : 0;
          codes.fill(blank);
          for (let m = 0; m < lines * wide; m++)
            for (let r = 0; r < rows; r++) {
              const line = (m * height + Math.floor(r / step)) * width;
              for (let c = 0, at = (m * rows + r) * columns; c < columns; c++, at++) {
                const to = line + Math.floor(c / step);
                if (Math.abs(from[at] - middle) > Math.abs(codes[to] - middle)) codes[to] = from[at];
              }
            }
        }
        this.pools.set(step, { codes, height, width });
      }
      const canvas = document.createElement("canvas");
      canvas.width = wide * width;
      canvas.height = lines * height;
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(canvas.width, canvas.height);
      const out = new Uint32Array(pixels.data.buffer);
      const palette = this.palette();
      if (!this.sprite) for (let i = 0; i < codes.length; i++) out[i] = palette[codes[i]];
      else
        for (let m = 0, at = 0; m < lines * wide; m++) {
          const corner = Math.floor(m / wide) * height * canvas.width + (m % wide) * width;
          for (let r = 0; r < height; r++)
            for (let c = 0; c < width; c++, at++) out[corner + r * canvas.width + c] = palette[codes[at]];
        }
      context.putImageData(pixels, 0, 0);
      return { canvas, height, width };
    }

    scene(paint, place, look, ratio) {
      const { second } = place;
      if (second !== null) this.panel(paint, place, look, ratio, "image");
      this.panel(paint, second === null ? place : { ...place, left: second }, look, ratio, this.settings.mode);
      if (this.map && !this.image) this.axes(paint, place, look);
      if (this.map && this.spec.bar !== false) this.colourbar(paint, place, look);
    }

    /* One picture: the image, the map over it, or the map alone. */
    panel(paint, place, look, ratio, mode) {
      const { left, top, w, h } = place;
      const kept = this.place;
      this.place = place; // where `box` and the truth are drawn
      paint.clip(left, top, w, h);
      if (this.image && mode !== "map") {
        const [u, v, a, b] = this.window();
        const { naturalWidth: iw, naturalHeight: ih } = this.image;
        const small = w * this.view.k > 3 * iw; // a small picture keeps crisp pixels
        paint.image(this.image, [u * iw, v * ih, a * iw, b * ih], [left, top, w, h], !small);
      }
      if (this.map && mode !== "image") this.values2d(paint, place, ratio);
      if (this.edges && this.settings.outlined) this.truth(paint, place);
      paint.unclip();
      if (!this.sprite) paint.frame(left, top, w, h, look.edge, 1);
      this.place = kept;
    }

    /* The part of the picture in view, as shares: left, top, width, height. */
    window() {
      const { x, y, k } = this.view;
      return [x, y, 1 / k, 1 / k];
    }

    values2d(paint, place, ratio) {
      const { left, top, w, h } = place;
      const [rows, columns] = this.cells;
      const [u, v, a, b] = this.window();
      const { shape } = this.map.header;
      const inner = this.sprite ? [shape[2], shape[3]] : [1, 1];
      const pixel = (Math.min(w / (columns * inner[1]), h / (rows * inner[0])) * ratio) / a;
      const { canvas, height, width } = this.source(Math.max(1, Math.ceil(1 / Math.max(pixel, 1e-6) - 1e-3)));
      if (!this.sprite) {
        paint.image(canvas, [u * canvas.width, v * canvas.height, a * canvas.width, b * canvas.height], [left, top, w, h], false);
        return;
      }
      for (let r = 0; r < rows; r++)
        for (let c = 0; c < columns; c++) {
          const [x, y, cw, ch] = this.box(r, c);
          if (x + cw < left || y + ch < top || x > left + w || y > top + h) continue;
          paint.image(canvas, [c * width, r * height, width, height], [x, y, cw - GAP, ch - GAP], false);
        }
    }

    /* Where the cell (row, column) lies, in px. */
    box(row, column) {
      const { left, top, w, h } = this.place;
      const [rows, columns] = this.cells;
      const { x, y, k } = this.view;
      const cw = (w * k) / columns;
      const ch = (h * k) / rows;
      return [left + column * cw - x * w * k, top + row * ch - y * h * k, cw, ch];
    }

    truth(paint, { left, top, w, h }) {
      const { x, y, k } = this.view;
      const at = (u, v) => [left + (u - x) * w * k, top + (v - y) * h * k];
      const pieces = this.edges.map(([a, b, c, d]) => [...at(a, b), ...at(c, d)]);
      paint.lines(pieces, "#000000", 4);
      paint.lines(pieces, "#00e5a0", 2);
    }

    axes(paint, place, look) {
      const { left, top, w, h, slanted } = place;
      const [rows, columns] = this.cells;
      const named = this.map.header.axes;
      const cut = (text) => (text.length > 22 ? text.slice(0, 21) + "…" : text);
      const each = (axis, count, span, draw) => {
        const step = Math.max(1, Math.ceil(14 / span));
        for (let i = 0; i < count; i += step) {
          draw(i, cut(this.tick(axis, i)));
        }
      };
      const [, , cw, ch] = this.box(0, 0);
      const gap = this.sprite ? GAP / 2 : 0;
      each(0, rows, ch, (i, text) => {
        const y = this.box(i, 0)[1] + ch / 2 - gap;
        if (y > top - 1 && y < top + h + 1) paint.text(text, left - 7, y, { align: "right", fill: look.ink });
      });
      each(1, columns, slanted ? cw : Math.max(cw, 14), (i, text) => {
        const x = this.box(0, i)[0] + cw / 2 - gap;
        if (x < left - 1 || x > left + w + 1) return;
        if (slanted) paint.text(text, x + 4, top + h + 8, { align: "right", turn: -60, fill: look.ink });
        else paint.text(text, x, top + h + 12, { align: "center", fill: look.ink });
      });
      const titles = this.spec.titles || [`${named[0]} (position)`, `${named[1]} (position)`];
      const style = { align: "center", fill: look.muted, size: 12 };
      if (titles[0]) paint.text(titles[0], 9, top + h / 2, { ...style, turn: -90 });
      if (titles[1]) paint.text(titles[1], left + w / 2, place.height - 9, style);
    }

    colourbar(paint, place, look) {
      const { left, top, w, h } = place;
      const [low, high] = this.ends;
      const signed = this.map.header.signed;
      const x = (place.second === null ? left : place.second) + w + 14;
      const tall = Math.min(Math.max(h, 110), 260);
      const strip = document.createElement("canvas");
      strip.width = 1;
      strip.height = 256;
      const pixels = strip.getContext("2d").createImageData(1, 256);
      const out = new Uint32Array(pixels.data.buffer);
      const { threshold, stretch, opacity } = this.settings;
      const least = threshold * Math.max(Math.abs(low), Math.abs(high));
      for (let i = 0; i < 256; i++) {
        const t = (255 - i) / 255;
        const value = valueOf(t, this.ends, stretch, signed);
        const strength = this.image && this.settings.mode !== "map" ? opacity * (signed ? Math.abs(2 * t - 1) : t) : 1;
        out[i] = threshold > 0 && Math.abs(value) < least ? 0 : colourOf(t, this.table(), strength);
      }
      strip.getContext("2d").putImageData(pixels, 0, 0);
      paint.image(strip, [0, 0, 1, 256], [x, top, 14, tall], false);
      paint.frame(x, top, 14, tall, look.edge, 1);
      const middle = signed && low < 0 && high > 0 ? 0 : valueOf(0.5, this.ends, stretch, false);
      for (const value of [low, middle, high]) {
        const y = top + tall * (1 - share(value, this.ends, stretch, signed));
        const base = value === low ? "bottom" : value === high ? "top" : "middle";
        paint.text(number(Number(value.toPrecision(3))), x + 19, y, { fill: look.ink, size: 12, base });
      }
      const unit = this.map.header.unit || "no unit";
      const whole = `${this.spec.quantity || "value"} (${unit})`;
      const words = whole.length * 6.2 > place.height ? unit : whole; // it must fit beside the bar
      paint.text(words, x + 70, top + tall / 2, { turn: -90, align: "center", fill: look.muted, size: 12 });
    }

    /* What is pointed at, what is selected, and the focus: drawn over the map, so that hovering stays cheap. */
    overlay() {
      if (!this.place) return;
      const ratio = window.devicePixelRatio || 1;
      const context = this.top.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this.place.width, this.place.height);
      const { left, top, w, h } = this.place;
      context.save();
      context.beginPath();
      context.rect(left - 3, top - 3, w + 6, h + 6);
      context.clip();
      const frame = (cell, width, colour) => {
        const [x, y, cw, ch] = this.box(...cell);
        const gap = this.sprite ? GAP : 0;
        const size = [Math.max(cw - gap, 3), Math.max(ch - gap, 3)];
        context.lineWidth = width + 2;
        context.strokeStyle = "#000000";
        context.strokeRect(x, y, ...size);
        context.lineWidth = width;
        context.strokeStyle = colour;
        context.strokeRect(x, y, ...size);
      };
      if (this.spec.lattice) this.lattice(context);
      if (this.selected) frame(this.selected, 2.5, "#ffd43b");
      context.restore();
      const pointed = this.cursor || this.echoed;
      if (pointed && !this.sprite) this.crosshair(context, pointed);
      if (this.cursor) {
        context.save();
        context.beginPath();
        context.rect(left - 3, top - 3, w + 6, h + 6);
        context.clip();
        frame(this.cursor, 1.5, "#ffffff");
        context.restore();
      }
      if (this.echoed && !this.cursor) this.chip(context, this.echoed);
    }

    /* Where the other maps of the page are pointed at: lines through the same place, on picture and map. */
    crosshair(context, cell) {
      const { left, top, w, h, second } = this.place;
      const [x, y, cw, ch] = this.box(...cell);
      for (const shift of second === null ? [0] : [0, second - left]) {
        const middle = [x + shift + cw / 2, y + ch / 2];
        for (const [width, colour] of [[3, "rgba(0,0,0,.45)"], [1, "#ffffff"]]) {
          context.lineWidth = width;
          context.strokeStyle = colour;
          context.beginPath();
          if (middle[0] >= left + shift && middle[0] <= left + shift + w) {
            context.moveTo(middle[0], top);
            context.lineTo(middle[0], top + h);
          }
          if (middle[1] >= top && middle[1] <= top + h) {
            context.moveTo(left + shift, middle[1]);
            context.lineTo(left + shift + w, middle[1]);
          }
          context.stroke();
        }
      }
    }

    /* The value under another map's cursor, in the corner. */
    chip(context, cell) {
      const words = this.readout(cell);
      if (!words) return;
      const { left, top } = this.place;
      context.font = `12px ${this.look().font}`;
      context.textBaseline = "middle";
      context.textAlign = "left";
      context.fillStyle = "rgba(27,35,48,.92)";
      context.fillRect(left + 6, top + 6, context.measureText(words).width + 12, 20);
      context.fillStyle = "#ffffff";
      context.fillText(words, left + 12, top + 16);
    }

    /* Another map of the page is pointed at: the same place here. */
    echo(cell) {
      if (String(cell) === String(this.echoed)) return;
      this.echoed = cell;
      this.overlay();
    }

    lattice(context) {
      const [rows, columns] = this.cells;
      context.strokeStyle = "rgba(255,255,255,.28)";
      context.lineWidth = 1;
      context.beginPath();
      for (let r = 1; r < rows; r++) {
        const [x, y] = this.box(r, 0);
        context.moveTo(x, y);
        context.lineTo(x + this.place.w * this.view.k, y);
      }
      for (let c = 1; c < columns; c++) {
        const [x, y] = this.box(0, c);
        context.moveTo(x, y);
        context.lineTo(x, y + this.place.h * this.view.k);
      }
      context.stroke();
    }

    // ---- reading out ---------------------------------------------------------------------------

    valueAt([row, column]) {
      if (!this.map || this.sprite) return null;
      return this.values[this.map.codes[row * this.cells[1] + column]];
    }

    words(cell) {
      const axes = (this.map && this.map.header.axes) || ["patch row", "patch column"];
      const one = (axis) => {
        const { text, place } = this.label(axis, cell[axis]);
        const noun = this.image && axes[axis] === "height" ? "row" : this.image && axes[axis] === "width" ? "column" : axes[axis];
        if (!noun && this.cells[axis] === 1) return "";
        return text === null || text === String(place) ? `${noun} ${place}` : `${noun} ${text} (${place})`;
      };
      return [one(0), one(1)].filter(Boolean).join(", ");
    }

    readout(cell) {
      const value = this.valueAt(cell);
      if (value === null) return "";
      const pooled = this.map.header.pooled || [1, 1];
      const unit = this.map.header.unit;
      const known = this.exact.get(String(cell));
      const sign = known === undefined ? "≈ " : "";
      const block = pooled[0] * pooled[1] > 1 ? `, the largest of ${pooled[0]} × ${pooled[1]}` : "";
      return `${sign}${number(known === undefined ? value : known)} ${unit || ""}`.trim() + block;
    }

    point(cell, fromKeys) {
      const same = String(cell) === String(this.cursor);
      this.cursor = cell;
      if (!same) {
        this.overlay();
        this.element.dispatchEvent(new CustomEvent("vitrine-point", { detail: { heat: this, cell }, bubbles: true }));
      }
      clearTimeout(this.asking);
      if (!cell) {
        this.tip.hidden = true;
        return;
      }
      this.show(cell);
      if (fromKeys) this.live.textContent = `${this.words(cell)} ${this.readout(cell)}`;
      if (!same) this.asking = setTimeout(() => this.ask(cell, fromKeys), 110);
    }

    show(cell) {
      const lines = [this.words(cell), this.readout(cell), (this.spec.hints || {})[String(cell)]];
      this.tip.replaceChildren();
      lines.filter(Boolean).forEach((line, i) => (make(i ? "div" : "strong", "", this.tip).textContent = line));
      this.tip.hidden = false;
      const [x, y, cw, ch] = this.box(...cell);
      const wide = this.tip.offsetWidth;
      const tall = this.tip.offsetHeight;
      const right = x + cw + 10 + wide < this.place.width ? x + cw + 10 : x - wide - 10;
      const below = y + ch + tall + 6 < this.place.height ? y + ch + 6 : y - tall - 6;
      this.tip.style.left = `${Math.max(0, Math.min(right, this.place.width - wide))}px`;
      this.tip.style.top = `${Math.max(0, below)}px`;
    }

    /* The exact number of one cell, from the server, where there is one. */
    async ask(cell, fromKeys) {
      const { value } = this.spec;
      const pooled = (this.map && this.map.header.pooled) || [1, 1];
      if (!value || this.sprite || pooled[0] * pooled[1] > 1 || this.exact.has(String(cell))) return;
      const turn = this.turn;
      const url = value.replace("{row}", cell[0]).replace("{column}", cell[1]).replace("{index}", this.index(cell));
      try {
        const found = await (await fetched(url)).json();
        if (turn !== this.turn) return;
        this.exact.set(String(cell), found.value);
        if (String(cell) === String(this.cursor)) {
          this.show(cell);
          if (fromKeys) this.live.textContent = `${this.words(cell)} ${this.readout(cell)}`;
        }
      } catch {
        if (turn === this.turn) this.exact.set(String(cell), this.valueAt(cell)); // the quantised value stays
      }
    }

    index([row, column]) {
      return row * this.cells[1] + column + (this.spec.first || 0);
    }

    describe() {
      const { label = "Heat map" } = this.spec;
      const [rows, columns] = this.cells;
      const header = this.map && this.map.header;
      const scale = header ? `, ${number(this.ends[0])} to ${number(this.ends[1])} ${header.unit || ""}` : "";
      const keys = this.spec.emit ? " Arrow keys move, Enter selects." : " Arrow keys read values.";
      this.canvas.setAttribute("aria-label", `${label}: ${rows} rows, ${columns} columns${scale}.${keys} Plus and minus zoom.`);
      const said = [];
      if (header && header.hidden) said.push(`${header.hidden} hidden; the rest is not renormalised`);
      if (header && (header.pooled || [1])[0] * (header.pooled || [1, 1])[1] > 1)
        said.push(`each cell is the largest of ${header.pooled.join(" × ")}`);
      if (this.settings.stretch === "sqrt") said.push("colours follow the square root");
      if (this.settings.stretch === "log") said.push("colours follow the logarithm, from the hundredth part of the scale's end");
      if (header && this.image && this.settings.mode !== "map") said.push("opacity follows the value: clear is zero");
      if (this.spec.note) said.push(this.spec.note);
      this.note.textContent = said.join(" · ");
    }

    // ---- pointer, wheel, keys ------------------------------------------------------------------

    at(event) {
      const frame = this.canvas.getBoundingClientRect();
      const { left, top, w, h } = this.place;
      const { second } = this.place;
      const along = event.clientX - frame.left;
      const u = (along - (second !== null && along >= second ? second : left)) / w;
      const v = (event.clientY - frame.top - top) / h;
      if (u < 0 || v < 0 || u >= 1 || v >= 1) return null;
      const { x, y, k } = this.view;
      return { u, v, cell: [Math.floor((y + v / k) * this.cells[0]), Math.floor((x + u / k) * this.cells[1])] };
    }

    /* Where on the picture the pointer is, as shares down and across. */
    shares(event) {
      const frame = this.canvas.getBoundingClientRect();
      const { left, top, w, h, second } = this.place;
      const along = event.clientX - frame.left;
      const [u, v] = [(along - (second !== null && along >= second ? second : left)) / w, (event.clientY - frame.top - top) / h];
      const inside = (share) => Math.min(Math.max(share, 0), 1);
      return [inside(this.view.y + v / this.view.k), inside(this.view.x + u / this.view.k)];
    }

    /* The region that is being dragged out. */
    marking([v0, u0], [v1, u1]) {
      this.overlay();
      const { left, top, w, h } = this.place;
      const { x, y, k } = this.view;
      const pen = this.top.getContext("2d");
      const box = [left + (Math.min(u0, u1) - x) * w * k, top + (Math.min(v0, v1) - y) * h * k, Math.abs(u1 - u0) * w * k, Math.abs(v1 - v0) * h * k];
      for (const [width, colour] of [[4, "#000000"], [2, "#ffd43b"]]) {
        pen.lineWidth = width;
        pen.strokeStyle = colour;
        pen.strokeRect(...box);
      }
    }

    moved(event) {
      if (!this.place) return;
      if (this.drag) {
        const dx = event.clientX - this.drag.from[0];
        const dy = event.clientY - this.drag.from[1];
        if (Math.hypot(dx, dy) > 4) this.drag.moved = true;
        if (this.drag.shares) this.marking(this.drag.shares, this.shares(event));
        else if (this.drag.moved && this.view.k > 1) {
          const { x, y, k } = this.drag.view;
          this.zoomTo({ k, x: x - dx / (this.place.w * k), y: y - dy / (this.place.h * k) });
        }
        return;
      }
      const found = this.at(event);
      this.canvas.style.cursor = found ? (this.spec.emit ? "pointer" : "crosshair") : "default";
      this.point(found && found.cell);
    }

    pressed(event) {
      if (event.button !== 0 || !this.place || !this.at(event)) return;
      this.canvas.focus({ preventScroll: true }); // from now on the wheel zooms
      this.canvas.setPointerCapture(event.pointerId);
      this.drag = { from: [event.clientX, event.clientY], view: { ...this.view }, moved: false };
      if (event.shiftKey && this.image) this.drag.shares = this.shares(event);
    }

    released(event) {
      const drag = this.drag;
      this.drag = null;
      if (drag && drag.shares) {
        this.overlay();
        const detail = { from: drag.shares, to: this.shares(event) };
        this.element.dispatchEvent(new CustomEvent("vitrine-touch", { detail, bubbles: true })); // see assets/touch.js
        return;
      }
      if (!drag || drag.moved) return;
      const found = this.at(event);
      if (found) this.select(found.cell);
    }

    wheeled(event) {
      // without focus the wheel scrolls the page, as people expect
      if (!this.place || (!event.ctrlKey && document.activeElement !== this.canvas && !this.large)) return;
      const found = this.at(event);
      if (!found) return;
      event.preventDefault();
      this.element.classList.remove("heat-asked");
      this.zoomBy(Math.exp(-event.deltaY / 300), found.u, found.v);
    }

    zoomBy(factor, u, v) {
      const { x, y, k } = this.view;
      const most = Math.max(1, Math.max(...this.cells) / 4);
      const next = Math.min(Math.max(k * factor, 1), Math.max(most, 4));
      this.zoomTo({ k: next, x: x + u / k - u / next, y: y + v / k - v / next });
    }

    zoomTo({ x, y, k }, quiet) {
      const room = 1 - 1 / k;
      this.view = { k, x: Math.min(Math.max(x, 0), room), y: Math.min(Math.max(y, 0), room) };
      this.canvas.style.touchAction = k > 1 ? "none" : "pan-y";
      this.tip.hidden = true;
      if (!this.waiting)
        this.waiting = requestAnimationFrame(() => {
          this.waiting = null;
          this.draw();
        });
      if (!quiet) this.others((other) => String(other.cells) === String(this.cells) && other.zoomTo(this.view, true));
    }

    keyed(event) {
      if (!this.place || event.ctrlKey || event.metaKey || event.altKey) return;
      const [rows, columns] = this.cells;
      const [row, column] = this.cursor || this.selected || [0, 0];
      const first = !this.cursor && !this.selected;
      const moves = {
        ArrowUp: [row - 1, column],
        ArrowDown: [row + 1, column],
        ArrowLeft: [row, column - 1],
        ArrowRight: [row, column + 1],
        Home: [row, 0],
        End: [row, columns - 1],
        PageUp: [0, column],
        PageDown: [rows - 1, column],
      };
      if (event.key in moves) {
        const [r, c] = first ? [0, 0] : moves[event.key];
        const cell = [Math.min(Math.max(r, 0), rows - 1), Math.min(Math.max(c, 0), columns - 1)];
        this.follow(cell);
        this.point(cell, true);
      } else if (event.key === "Enter" || event.key === " ") this.select(this.cursor || this.selected || [0, 0]);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.5, 0.5, 0.5);
      else if (event.key === "-") this.zoomBy(1 / 1.5, 0.5, 0.5);
      else if (event.key === "0") this.zoomTo({ x: 0, y: 0, k: 1 });
      else if (event.key === "Escape") this.point(null);
      else if (!this.shortcut(event.key)) return;
      event.preventDefault();
    }

    /* One key for each thing that the controls do; see the list under "?" (assets/viewer.js). */
    shortcut(key) {
      const { settings } = this;
      const wanted = this.spec.controls || [];
      const next = (list, now) => list[(list.indexOf(now) + 1) % list.length];
      const step = (name, by) => wanted.includes(name) && this.set(name, Math.round(100 * Math.min(1, Math.max(0, settings[name] + by))) / 100);
      const over = this.map && this.image;
      if (key === "f") this.fill();
      else if (key === "b" && over) this.set("mode", settings.mode === "beside" ? "over" : "beside");
      else if (key === "m" && over) this.set("mode", settings.mode === "map" ? "over" : "map");
      else if (key === "l" && wanted.includes("stretch")) this.set("stretch", next(["linear", "sqrt", "log"], settings.stretch));
      else if (key === "c" && this.choices().length > 1) this.set("colours", next(this.choices(), settings.colours));
      else if (key === "t" && this.edges) this.set("outlined", !settings.outlined);
      else if (key === "]" && over) step("opacity", 0.1);
      else if (key === "[" && over) step("opacity", -0.1);
      else if (key === "." && this.map) step("threshold", 0.05);
      else if (key === "," && this.map) step("threshold", -0.05);
      else return false;
      this.controls();
      return true;
    }

    /* The map over the whole screen, or back. */
    fill() {
      if (this.large) document.exitFullscreen();
      else if (this.element.requestFullscreen) this.element.requestFullscreen().catch(() => {});
    }

    /* Moves the view so that a cell chosen by keys is in it. */
    follow([row, column]) {
      const { x, y, k } = this.view;
      if (k === 1) return;
      const [rows, columns] = this.cells;
      const inside = (at, size, from) => Math.min(Math.max(from, (at + 1) / size - 1 / k), at / size);
      this.zoomTo({ k, x: inside(column, columns, x), y: inside(row, rows, y) });
    }

    select(cell) {
      if (!this.spec.emit) return;
      this.selected = cell;
      this.overlay();
      const [row, column] = cell;
      const data = { row, column, index: this.index(cell), row_label: this.name(0, row), column_label: this.name(1, column) };
      this.live.textContent = `selected ${this.words(cell)}`;
      this.element.dispatchEvent(new CustomEvent("vitrine-select", { detail: data, bubbles: true }));
      if (window.dash_clientside && window.dash_clientside.set_props)
        window.dash_clientside.set_props(this.spec.emit, { data });
    }

    name(axis, index) {
      const header = this.map ? this.map.header : {};
      const names = axis === 0 ? header.rows : header.columns;
      return names && names[index] !== undefined ? names[index] : String(index);
    }

    // ---- controls ------------------------------------------------------------------------------

    others(run) {
      for (const other of groups.get(this.spec.group) || []) {
        if (!other.element.isConnected) groups.get(this.spec.group).delete(other);
        else if (other !== this) run(other);
      }
    }

    set(name, value, quiet) {
      this.settings[name] = value;
      if (!quiet) this.element.dispatchEvent(new CustomEvent("vitrine-look", { detail: { name, value }, bubbles: true }));
      this.changed[name] = true;
      if (name === "colours" && !this.choices().includes(value)) this.settings.colours = this.choices()[0];
      if (quiet) this.controls();
      else this.others((other) => other.set(name, value, true));
      this.draw();
    }

    controls() {
      const wanted = this.spec.controls || [];
      const active = document.activeElement && this.bar.contains(document.activeElement) && document.activeElement.name;
      this.bar.replaceChildren();
      let box = this.bar;
      const field = (words) => {
        const label = make("label", "heat-field", box);
        make("span", "", label).textContent = words;
        return label;
      };
      const slider = (name, words) => {
        const label = field(words);
        const input = make("input", "form-range", label, { type: "range", min: 0, max: 1, step: 0.01, name });
        input.value = this.settings[name];
        const shown = make("output", "", label);
        const say = () => (shown.textContent = `${Math.round(100 * input.value)} %`);
        say();
        input.addEventListener("input", () => {
          say();
          this.set(name, Number(input.value));
        });
      };
      const list = (name, words, options) => {
        const select = make("select", "form-select form-select-sm", field(words), { name });
        for (const [value, text] of options) make("option", "", select, { value }).textContent = text;
        select.value = this.settings[name];
        select.addEventListener("change", () => this.set(name, select.value));
      };
      if (wanted.includes("opacity") && this.map && this.image) slider("opacity", "Opacity");
      if (wanted.includes("mode") && this.map && this.image)
        list("mode", "Map", [["over", "over the picture"], ["beside", "beside it, 1 : 1"], ["map", "alone"]]);
      if (wanted.includes("full") && document.fullscreenEnabled) {
        const button = make("button", "btn btn-sm btn-outline-secondary heat-full", this.bar, { type: "button", title: "Full screen (f)" });
        button.textContent = this.large ? "Leave full screen" : "Full screen";
        button.addEventListener("click", () => this.fill());
        const help = make("button", "btn btn-sm btn-outline-secondary heat-help", this.bar, { type: "button", "aria-label": "Shortcuts", title: "Shortcuts (?)" });
        help.textContent = "?";
        help.addEventListener("click", () => vitrine.shortcuts && vitrine.shortcuts());
      }
      if (wanted.length > 4) box = this.unfolding();
      if (wanted.includes("threshold") && this.map) slider("threshold", "Hide below");
      if (wanted.includes("colours") && this.map && this.choices().length > 1)
        list("colours", "Colours", this.choices().map((c) => [c, c]));
      if (wanted.includes("stretch") && this.map)
        list("stretch", "Scale", [["linear", "linear"], ["sqrt", "square root"], ["log", "logarithmic"]]);
      if (wanted.includes("outline") && this.edges) {
        const label = field("Ground truth");
        const tick = make("input", "form-check-input", label, { type: "checkbox", name: "outlined" });
        tick.checked = this.settings.outlined;
        tick.addEventListener("change", () => this.set("outlined", tick.checked));
      }
      box = this.bar;
      if (wanted.includes("save"))
        for (const kind of ["png", "svg"]) {
          const button = make("button", "btn btn-sm btn-outline-secondary", this.bar, { type: "button" });
          button.textContent = kind.toUpperCase();
          button.setAttribute("aria-label", `Save ${this.spec.label || "this map"} as ${kind.toUpperCase()}`);
          button.addEventListener("click", () => this.save(kind));
        }
      const again = active && this.bar.querySelector(`[name="${active}"]`);
      if (again) again.focus();
    }

    /* Where the controls stand that are wanted less often; it stays open once it was opened. */
    unfolding() {
      const details = make("details", "heat-more", this.bar);
      details.open = Boolean(this.unfolded);
      make("summary", "", details).textContent = "More";
      details.addEventListener("toggle", () => (this.unfolded = details.open));
      return make("div", "heat-more-fields", details);
    }

    // ---- saving --------------------------------------------------------------------------------

    frame(paint, place, look) {
      paint.rect(0, 0, place.width, place.height + 22, look.surface);
      paint.text(this.spec.title || this.spec.label || "", 4, 14, { fill: look.ink, size: 15, weight: 600 });
      paint.text(this.note.textContent, 4, 34, { fill: look.muted, size: 12 });
      const kept = this.place;
      this.place = place;
      this.scene(paint, place, look, 2);
      this.place = kept;
    }

    /* The picture as SVG; on a page that leaves it is light, whatever the theme. */
    svg(onPaper) {
      this.onPaper = Boolean(onPaper);
      const look = this.look();
      this.onPaper = false;
      const place = this.layout(Math.max(this.width, 480), look, true);
      const paint = svgPainter(place.width, place.height + 22, look.font);
      this.frame(paint, place, look);
      return paint.done();
    }

    png() {
      const look = this.look();
      const place = this.layout(Math.max(this.width, 480), look, true);
      const canvas = document.createElement("canvas");
      canvas.width = 2 * place.width;
      canvas.height = 2 * (place.height + 22);
      const context = canvas.getContext("2d");
      context.scale(2, 2);
      this.frame(canvasPainter(context, look.font), place, look);
      return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    }

    async save(kind) {
      const blob = kind === "svg" ? new Blob([this.svg()], { type: "image/svg+xml" }) : await this.png();
      const name = (this.spec.file || this.spec.label || "map").toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60);
      download(blob, `vitrine-${name}.${kind}`);
    }
  }

  vitrine.heat = {
    /* Draws `spec` into `element`, or what changed since; resolves when it is on the screen. */
    async mount(element, spec) {
      if (!spec) {
        if (element._heat) element._heat.destroy();
        return null;
      }
      const Kind = spec.tiles ? vitrine.heat.Tiled : Heat;
      if (element._heat && element._heat.constructor !== Kind) element._heat.destroy();
      if (!element._heat) element._heat = new Kind(element);
      await element._heat.update(spec);
      return element._heat;
    },
    every,
    visible,
    parts: { Heat, number }, // for assets/heat_tiles.js
  };
})();
