/* The attribution page in the browser: sorting the table, saving a coloured text, remembering how pictures are shown. */
(function () {
  "use strict";
  const vitrine = window.vitrine;
  const { around, download } = vitrine.lib;

  // ---- the table of strongest parts -------------------------------------------------------------

  function value(row, column, kind) {
    const cell = row.cells[column];
    if (kind === "text") return cell.textContent.toLowerCase();
    return Number(cell.getAttribute("data-value"));
  }

  document.addEventListener("click", function (event) {
    const button = around(event, ".sorter");
    if (!button) return;
    const head = button.closest("th");
    const table = head.closest("table");
    const kind = head.getAttribute("data-kind");
    const column = head.cellIndex;
    const up = head.getAttribute("aria-sort") === "descending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    rows.sort((a, b) => {
      const [x, y] = [value(a, column, kind), value(b, column, kind)];
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
    });
    body.append(...rows);
  });

  // ---- how the pictures are shown, into the link ------------------------------------------------

  const NAMES = ["opacity", "threshold", "colours", "stretch", "mode"];
  let shown = {};
  let waiting = 0;

  document.addEventListener("vitrine-look", function (event) {
    const { name, value } = event.detail;
    if (!around(event, ".attribution .heat") || !NAMES.includes(name)) return;
    shown = { ...shown, [name]: String(value) };
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      const data = { path: "/attribution", params: shown };
      window.dash_clientside.set_props("shell-view", { data: data });
      window.dash_clientside.set_props("attribution-view", { data: shown });
    }, 250);
  });

  // ---- saving a coloured text as it stands on the page ------------------------------------------

  const SPACE = "http://www.w3.org/2000/svg";

  function make(name, attributes, parent) {
    const node = document.createElementNS(SPACE, name);
    for (const [key, entry] of Object.entries(attributes)) node.setAttribute(key, entry);
    if (parent) parent.append(node);
    return node;
  }

  function words(parent, text, x, y, size, fill, weight) {
    const look = { x, y, fill, "font-size": size, "font-family": "sans-serif", "font-weight": weight || 400 };
    make("text", { ...look, "xml:space": "preserve" }, parent).textContent = text;
  }

  /* The pieces of text that stand on one line each, with their boxes. */
  function lines(span) {
    const node = span.firstChild;
    if (!node || node.nodeType !== Node.TEXT_NODE) return [];
    const found = [];
    const range = document.createRange();
    for (let i = 0; i < node.length; i++) {
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const box = range.getBoundingClientRect();
      if (!box.width) continue;
      const last = found[found.length - 1];
      if (last && Math.abs(last.top - box.top) < 2) {
        last.text += node.data[i];
        last.right = box.right;
      } else {
        found.push({ text: node.data[i], left: box.left, right: box.right, top: box.top, bottom: box.bottom });
      }
    }
    return found;
  }

  function drawing(holder) {
    const card = holder.closest("article") || holder.parentElement;
    const box = holder.getBoundingClientRect();
    const [width, top] = [Math.ceil(box.width), 34];
    const foot = 64;
    const svg = make("svg", { xmlns: SPACE, width, height: Math.ceil(box.height) + top + foot });
    make("rect", { width: "100%", height: "100%", fill: "#ffffff" }, svg);
    words(svg, holder.getAttribute("data-title") || "Attribution", 8, 22, 15, "#1b2330", 600);
    for (const span of holder.querySelectorAll("span")) {
      const style = getComputedStyle(span);
      for (const line of lines(span)) {
        const [x, y] = [line.left - box.left, line.top - box.top + top];
        const [w, h] = [line.right - line.left, line.bottom - line.top];
        if (span.classList.contains("tok")) make("rect", { x, y, width: w, height: h, fill: style.backgroundColor }, svg);
        if (span.classList.contains("truth")) make("rect", { x, y: y + h, width: w, height: 2.5, fill: "#00734f" }, svg);
        words(svg, line.text, x, y + 0.78 * h, parseFloat(style.fontSize), style.color);
      }
    }
    key(svg, card, Math.ceil(box.height) + top + 14);
    return svg;
  }

  /* The colour bar with its ends, its unit and its meaning. */
  function key(svg, card, y) {
    const bar = card.querySelector(".legend-bar");
    if (!bar) return;
    const stops = getComputedStyle(bar).backgroundImage.match(/rgb\([^)]*\)/g) || [];
    const gradient = make("linearGradient", { id: "key" }, make("defs", {}, svg));
    stops.forEach((colour, i) => make("stop", { offset: i / (stops.length - 1), "stop-color": colour }, gradient));
    const [low, high] = Array.from(card.querySelectorAll(".legend-end")).map((n) => n.textContent);
    words(svg, low, 8, y + 12, 12, "#1b2330");
    make("rect", { x: 60, y, width: 160, height: 14, fill: "url(#key)", stroke: "#7b8696" }, svg);
    const unit = card.querySelector(".legend-unit");
    words(svg, `${high} ${unit ? unit.textContent : ""}`, 226, y + 12, 12, "#1b2330");
    const told = card.querySelector(".legend-words");
    words(svg, told ? told.textContent : "", 8, y + 34, 12, "#556070");
  }

  /* The coloured text in the element `id` as SVG. */
  vitrine.textSvg = (id) => new XMLSerializer().serializeToString(drawing(document.getElementById(id)));

  /* Saves the coloured text in the element `id` as "png" or "svg". */
  vitrine.saveText = async function (id, kind) {
    const holder = document.getElementById(id);
    if (!holder || !holder.classList.contains("coloured-text")) return false;
    const svg = drawing(holder);
    const file = new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
    if (kind === "svg") {
      download(file, `vitrine-${id}.svg`);
      return true;
    }
    const image = new Image();
    const address = URL.createObjectURL(file);
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = address;
    });
    const canvas = document.createElement("canvas");
    canvas.width = 2 * image.width;
    canvas.height = 2 * image.height;
    const pen = canvas.getContext("2d");
    pen.scale(2, 2);
    pen.drawImage(image, 0, 0);
    URL.revokeObjectURL(address);
    download(await new Promise((resolve) => canvas.toBlob(resolve, "image/png")), `vitrine-${id}.png`);
    return true;
  };
})();
