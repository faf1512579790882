/* What several scripts need: maps as the server packs them, elements, files to save. Loaded before all others (app.py). */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});

  // ---- what the server sends -------------------------------------------------------------------

  /* The bytes that a base64 text stands for. */
  function bytes(base64) {
    const raw = window.atob(base64);
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }

  /* A text of any script as base64 of its UTF-8. */
  function base64(text) {
    let raw = "";
    for (const byte of new TextEncoder().encode(text)) raw += String.fromCharCode(byte);
    return window.btoa(raw);
  }

  /* A message of viz/server: the length of its header (uint32, little endian), the header as JSON, and numbers of `Kind`. */
  function unpack(buffer, Kind = Uint8Array) {
    const length = new DataView(buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    return { header, codes: new Kind(buffer, 4 + length) };
  }

  /* What each of the 256 codes of a map means, as viz/server/maps.py wrote it. */
  function dequantise({ quantisation, vmin, vmax }) {
    return Float32Array.from({ length: 256 }, (_, code) => {
      if (quantisation === "symmetric") return ((code - 127.5) / 127.5) * vmax;
      const share = code / 255;
      return vmin + (quantisation === "sqrt" ? share * share : share) * (vmax - vmin);
    });
  }

  /* The answer at `url`; where it is none, an error with the server's own sentence. */
  async function fetched(url, options) {
    let answer;
    try {
      answer = await fetch(url, { credentials: "same-origin", ...options });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("the map could not be fetched; is Vitrine still running?");
    }
    if (!answer.ok) throw new Error((await answer.text()).trim().slice(0, 300) || `error ${answer.status}`);
    return answer;
  }

  // ---- elements --------------------------------------------------------------------------------

  /* An element, at the end of `parent` where one is given. */
  function make(tag, className, parent, attributes) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    if (parent) parent.appendChild(element);
    return element;
  }

  /* An element that holds a text, never markup. */
  function makeText(tag, className, text, parent) {
    const element = make(tag, className, parent);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  /* The element around what an event happened to that fits `selector`, or null. */
  function around(event, selector) {
    return event.target && event.target.closest ? event.target.closest(selector) : null;
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const isDark = () => document.documentElement.getAttribute("data-bs-theme") === "dark";

  /* Tell the store `id`, for which theme the server draws pictures, unless it knows: it drew the first for `drawnFor`. */
  const told = {};
  function tellTheme(id) {
    const dark = isDark();
    if ((told[id] ?? (vitrine.drawnFor && vitrine.drawnFor === "dark")) === dark) return;
    told[id] = dark;
    window.dash_clientside.set_props(id, { data: dark });
  }

  /* Saves `blob` as a file called `name`. */
  function download(blob, name) {
    const link = make("a", "", null, { download: name });
    link.href = URL.createObjectURL(blob);
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  vitrine.lib = { around, base64, bytes, clamp, dequantise, download, fetched, isDark, make, makeText, tellTheme, unpack };
})();
