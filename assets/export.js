/* Pictures that leave: the server's designed page of a result, with what the browser shows put into its place where the
   server cannot draw it. See viz/report/sheet.py and viz/components/exports.py. */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const { base64, download, make } = vitrine.lib;
  const PLACE = "vitrine-picture";

  // ---- what stands on the page, as SVG ---------------------------------------------------------------

  /* The picture in the element `id` as a text of SVG, or null where nothing is drawn. */
  async function picture(id) {
    const holder = document.getElementById(id);
    if (!holder) return null;
    const heat = holder._heat;
    if (heat && heat.svg) return heat.svg(true);
    if (heat && heat.drawing) return canvasSvg(heat.drawing());
    if (vitrine.textSvg && holder.classList.contains("coloured-text")) return vitrine.textSvg(id);
    const graph = holder.matches(".js-plotly-plot") ? holder : holder.querySelector(".js-plotly-plot");
    if (!graph || !window.Plotly) return null;
    const size = { width: graph.clientWidth || 900, height: graph.clientHeight || 560 };
    const { templates } = await vitrine.data();
    const light = { data: graph.data, layout: { ...graph.layout, template: templates.light } };
    const found = await window.Plotly.toImage(light, { format: "svg", ...size });
    return decodeURIComponent(found.slice(found.indexOf(",") + 1));
  }

  function canvasSvg(canvas) {
    const size = `width="${canvas.width / 2}" height="${canvas.height / 2}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><image ${size} href="${canvas.toDataURL()}"/></svg>`;
  }

  function parsed(text) {
    const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (root.nodeName !== "svg") throw new Error("the picture could not be read");
    return root;
  }

  const pixels = (root, name) => Math.min(9999, Math.max(1, Math.round(parseFloat(root.getAttribute(name)) || 1)));

  // ---- the sheet ---------------------------------------------------------------------------------------

  async function fetched(key, query) {
    const asked = new URLSearchParams(query).toString();
    const answer = await fetch(`${vitrine.prefix()}results/${key}/svg${asked ? "?" + asked : ""}`, { credentials: "same-origin" });
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return parsed(await answer.text());
  }

  /* How the heat map in the element `id` is shown just now, as the server's query has it. */
  function shown(id) {
    const heat = (document.getElementById(id) || {})._heat;
    if (!heat || !heat.settings || !heat.map) return {};
    const { opacity, threshold, colours, stretch, outlined } = heat.settings;
    return { opacity, threshold, colours, stretch, ...(outlined ? {} : { mask: "" }) };
  }

  /* The designed page of the result `key`: drawn by the server as `view` says, else around the picture `svg`. */
  async function sheet(key, view, svg) {
    if (!svg) return fetched(key, view || {});
    const inner = parsed(svg);
    const size = [pixels(inner, "width"), pixels(inner, "height")];
    const page = await fetched(key, { frame: size.join("x") });
    page.querySelector(`#${PLACE}`).append(page.ownerDocument.importNode(inner, true));
    return page;
  }

  async function png(root) {
    const [width, height] = [pixels(root, "width"), pixels(root, "height")];
    const image = new Image();
    image.src = `data:image/svg+xml;base64,${base64(new XMLSerializer().serializeToString(root))}`;
    await image.decode();
    const scale = Math.min(2, 16000 / Math.max(width, height));
    const canvas = make("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  async function save(root, kind, name) {
    const file = kind === "svg" ? new Blob([new XMLSerializer().serializeToString(root)], { type: "image/svg+xml" }) : await png(root);
    download(file, `vitrine-${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60)}.${kind}`);
    return true;
  }

  /* Saves the page of the result `key` around what the element `id` shows; false where nothing is drawn there. */
  vitrine.saveSheet = async function (key, id, kind, view) {
    const svg = view ? null : await picture(id);
    if (!view && !svg) return false;
    return save(await sheet(key, view ? { ...view, ...shown(id) } : null, svg), kind, id);
  };

  /* Saves the page of the result `key` around the SVG text `svg`. */
  vitrine.saveSheetAround = async function (key, svg, kind, name) {
    return save(await sheet(key, null, svg), kind, name);
  };
})();
