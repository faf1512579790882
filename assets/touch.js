/* Touching the input: clicks and drags become edits, edits go through the browser's history and into the link, so that
   Back, undo and redo are one thing. The answer comes from the server: see viz/components/touch.py. */
(function () {
  "use strict";
  const vitrine = (window.vitrine = window.vitrine || {});
  const { around, clamp, make, makeText } = vitrine.lib;
  const SQUARES = 8; // along each side of a picture, for a click
  const pages = new Map(); // by page: what can be touched, what was, and what the model saw
  const letters = new WeakMap(); // of the texts
  let input = null; // of which input the link's edits are
  let top = 0; // how far redo goes

  const el = (page, part) => document.getElementById(`${page}-touch-${part}`);
  const panel = () => document.querySelector(".touch");
  const pageOf = () => (panel() ? panel().dataset.page : null);

  // ---- the link and the history ------------------------------------------------------------------------

  const depth = () => (window.history.state && window.history.state.touch) || 0;

  function read(search) {
    try {
      return JSON.parse(new URLSearchParams(search).get("touch") || "[]");
    } catch {
      return [];
    }
  }

  function without(search) {
    const rest = new URLSearchParams(search);
    rest.delete("touch");
    return window.location.pathname + "?" + rest;
  }

  function apply(page, edits) {
    window.dash_clientside.set_props(`${page}-touch-edits`, { data: edits });
    const known = pages.get(page);
    if (known) draw(known.about, edits, known.seen, `${page}-touch-panel`); // at once: Dash asks the server first
  }

  /* The edits are now `edits`: one step further in the history. */
  function push(page, edits) {
    const asked = new URLSearchParams(window.location.search);
    if (edits.length) asked.set("touch", JSON.stringify(edits));
    else asked.delete("touch");
    top = depth() + 1;
    window.history.pushState({ ...window.history.state, touch: top }, "", `${window.location.pathname}?${asked}`);
    here = without(window.location.search);
    apply(page, edits);
    unfold(page, true);
  }

  let here = without(window.location.search);

  /* Back and Forward between edits of one view need no new page; Dash, which listens later, is not told. */
  window.addEventListener("popstate", (event) => {
    const page = pageOf();
    const now = without(window.location.search);
    if (page && now === here) {
      event.stopImmediatePropagation();
      apply(page, read(window.location.search));
    }
    here = now;
  });

  /* What of the link's edits stays beside a view: those of the same input. */
  function kept(view, now) {
    const { model, input: digest, text, pair, output, generated, step } = view.params;
    const key = JSON.stringify([view.path, model, digest, text, pair, output, generated, step]);
    const same = input === null || input === key || !input.startsWith(`["${view.path}"`);
    input = key;
    if (!same && now && pageOf()) apply(pageOf(), []);
    return same ? now : "";
  }

  function undo() {
    if (depth() > 0) window.history.back();
  }

  function redo() {
    if (depth() < top) window.history.forward();
  }

  // ---- edits -----------------------------------------------------------------------------------------------

  const isRegion = (edit) => edit.length === 4;
  const meets = (edit, [a, b]) => !isRegion(edit) && edit[0] < b && a < edit[1];

  /* Hides a span of the text, or restores what is hidden or swapped there. */
  function toggle(page, span) {
    const { edits } = pages.get(page);
    const rest = edits.filter((edit) => !meets(edit, span));
    push(page, rest.length < edits.length ? rest : [...edits, span]);
  }

  function swap(page, span, words) {
    const { about, edits } = pages.get(page);
    const rest = edits.filter((edit) => !meets(edit, span));
    const same = words === part(about, ...span);
    push(page, same ? rest : [...rest, [...span, words]]);
  }

  /* Letters of the text from one place to another: places count letters as Python does, a face as one. */
  function part(about, from, to) {
    if (!letters.has(about)) letters.set(about, Array.from(about.text));
    return letters.get(about).slice(from, to).join("");
  }

  /* Hides a region, in thousandths of the picture, or restores those that hold its middle where it is one square. */
  function region(page, box, square) {
    const { edits } = pages.get(page);
    const [r, c] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const rest = square ? edits.filter((e) => !(isRegion(e) && e[0] <= r && r < e[2] && e[1] <= c && c < e[3])) : edits;
    push(page, rest.length < edits.length ? rest : [...edits, box]);
  }

  /* The square at a place (shares down and across). */
  function squareAt(v, u) {
    const from = (share) => Math.floor(clamp(share, 0, 0.999) * SQUARES);
    const edge = (i) => Math.round((1000 * i) / SQUARES);
    const [r, c] = [from(v), from(u)];
    return [edge(r), edge(c), edge(r + 1), edge(c + 1)];
  }

  // ---- the input, word by word -----------------------------------------------------------------------------

  function words(page, box, about, edits) {
    const at = document.activeElement && box.contains(document.activeElement) ? document.activeElement.dataset.span : null;
    const frame = make("div", "touch-text", null, { dir: "auto" });
    let last = 0;
    for (const [a, b] of about.words) {
      frame.append(part(about, last, a));
      const edit = edits.find((e) => meets(e, [a, b]));
      const swapped = edit && edit.length === 3;
      const kind = swapped ? " swapped" : edit ? " gone" : "";
      const button = makeText("button", `touch-word${kind}`, swapped && edit[0] === a ? edit[2] || "∅" : part(about, a, b), frame);
      Object.assign(button, { type: "button", title: swapped ? `was “${part(about, edit[0], edit[1])}”` : "" });
      button.dataset.span = `${a},${b}`;
      button.setAttribute("aria-pressed", String(Boolean(edit)));
      last = b;
    }
    frame.append(part(about, last));
    if (about.more) makeText("span", "hint", ` … and ${about.more} more words`, frame);
    box.replaceChildren(frame);
    const again = at && box.querySelector(`[data-span="${at}"]`);
    if (again) again.focus();
  }

  const spanOf = (element) => element.dataset.span.split(",").map(Number);
  const swapping = (page) => {
    const button = el(page, "swap");
    return button && button.getAttribute("aria-pressed") === "true";
  };

  /* A word becomes a field in which another is written. */
  function write(page, button) {
    const span = spanOf(button);
    const field = make("input", "touch-write", null, { type: "text", maxlength: 200, "aria-label": `Instead of “${button.textContent}”` });
    field.value = button.textContent === "∅" ? "" : button.textContent;
    field.size = Math.max(4, field.value.length + 1);
    let done = false;
    const end = (keep) => {
      if (done) return;
      done = true;
      if (keep) swap(page, span, field.value.trim());
      else field.replaceWith(button);
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") end(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    field.addEventListener("blur", () => end(field.value.trim() !== button.textContent));
    button.replaceWith(field);
    field.focus();
    field.select();
  }

  // ---- the input as a picture ----------------------------------------------------------------------------------

  function picture(page, box, about, seen) {
    if (!seen || seen.of !== about.of) {
      box.replaceChildren(); // until that of this input is there
      return;
    }
    let canvas = box.querySelector("canvas");
    if (!canvas || box.dataset.image !== seen.of) {
      box.dataset.image = seen.of;
      box.replaceChildren();
      const frame = make("div", "touch-picture", box);
      const image = make("img", "", frame, { src: seen.image, alt: "" });
      canvas = make("canvas", "", frame, { tabindex: "0", role: "application", "aria-label":
        "The picture in 8 by 8 squares: arrow keys move, Enter hides or restores a square; drag with the pointer to hide a region" });
      image.addEventListener("load", () => paint(page, canvas));
      listen(page, canvas);
    }
    paint(page, canvas);
  }

  function paint(page, canvas, drag) {
    const image = canvas.previousElementSibling;
    const [w, h] = [image.clientWidth, image.clientHeight];
    if (!w) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: w * ratio, height: h * ratio });
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const { edits } = pages.get(page);
    const box = ([t, l, b, r]) => [(l * w) / 1000, (t * h) / 1000, ((r - l) * w) / 1000, ((b - t) * h) / 1000];
    for (const edit of [...edits.filter(isRegion), ...(drag ? [drag] : [])]) {
      const [x, y, a, b] = box(edit);
      pen.save();
      pen.beginPath();
      pen.rect(x, y, a, b);
      pen.fillStyle = "rgba(20, 26, 36, .72)";
      pen.fill();
      pen.clip();
      pen.strokeStyle = "rgba(255, 255, 255, .6)";
      for (let d = -b; d < a; d += 7) {
        pen.beginPath();
        pen.moveTo(x + d, y + b);
        pen.lineTo(x + d + b, y);
        pen.stroke();
      }
      pen.restore();
    }
    if (canvas._at && document.activeElement === canvas) {
      const [x, y, a, b] = box(squareAt(canvas._at[0] / SQUARES, canvas._at[1] / SQUARES));
      for (const [width, colour] of [[4, "#000000"], [2, "#ffd43b"]]) {
        pen.lineWidth = width;
        pen.strokeStyle = colour;
        pen.strokeRect(x, y, a, b);
      }
    }
  }

  function listen(page, canvas) {
    const share = (event) => {
      const frame = canvas.getBoundingClientRect();
      return [clamp((event.clientY - frame.top) / frame.height, 0, 1), clamp((event.clientX - frame.left) / frame.width, 0, 1)];
    };
    let from = null;
    const box = (to) => {
      const round = (a, b) => [Math.round(1000 * Math.min(a, b)), Math.round(1000 * Math.max(a, b))];
      const [[t, b], [l, r]] = [round(from[0], to[0]), round(from[1], to[1])];
      return [t, l, b, r];
    };
    const large = (found) => found[2] - found[0] > 30 && found[3] - found[1] > 30;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      from = share(event);
    });
    canvas.addEventListener("pointermove", (event) => from && paint(page, canvas, box(share(event))));
    canvas.addEventListener("pointercancel", () => {
      from = null;
      paint(page, canvas);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!from) return;
      const found = box(share(event));
      const start = from;
      from = null;
      if (large(found)) region(page, found, false);
      else region(page, squareAt(...start), true);
    });
    canvas.addEventListener("focus", () => paint(page, canvas));
    canvas.addEventListener("blur", () => paint(page, canvas));
    canvas.addEventListener("keydown", (event) => {
      const [r, c] = canvas._at || [0, 0];
      const moves = { ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1] };
      if (event.key in moves) canvas._at = canvas._at ? moves[event.key].map((v) => clamp(v, 0, SQUARES - 1)) : [0, 0];
      else if (event.key === "Enter" || event.key === " ") region(page, squareAt((canvas._at || [0, 0])[0] / SQUARES, (canvas._at || [0, 0])[1] / SQUARES), true);
      else return;
      event.preventDefault();
      paint(page, canvas);
    });
  }

  // ---- the panel -------------------------------------------------------------------------------------------------

  function unfold(page, open) {
    const [button, body] = [el(page, "open"), el(page, "body")];
    if (!button || !body) return;
    button.setAttribute("aria-expanded", String(open));
    if (open) window.dash_clientside.set_props(`${page}-touch-opened`, { data: true });
    body.hidden = !open;
    panel().classList.toggle("touch-unfolded", open);
    const canvas = body.querySelector("canvas");
    if (open && canvas) paint(page, canvas);
  }

  /* What can be touched came, or what was touched changed. */
  function draw(about, edits, seen, id) {
    const page = id.replace(/-touch-panel$/, "");
    const kept = about && Array.isArray(edits) ? edits : [];
    const before = pages.get(page);
    pages.set(page, { about, edits: kept, seen });
    const button = el(page, "open");
    if (!button) return;
    button.disabled = !about;
    const box = el(page, "input");
    if (!about) {
      box.replaceChildren();
      delete box.dataset.image;
      unfold(page, false);
      return;
    }
    if (about.image) picture(page, box, about, seen);
    else {
      delete box.dataset.image;
      words(page, box, about, kept);
    }
    el(page, "swap").hidden = el(page, "hide").hidden = Boolean(about.image);
    el(page, "undo").disabled = depth() === 0;
    el(page, "redo").disabled = depth() >= top;
    el(page, "clear").disabled = !kept.length;
    if (kept.length && !before) unfold(page, true);
    if (before && JSON.stringify(before.edits) !== JSON.stringify(kept) && kept.length) panel().classList.add("touch-wait");
    if (!kept.length) panel().classList.remove("touch-wait");
    marks(kept);
  }

  /* The words of coloured texts that are hidden or swapped are struck there, too. */
  function marks(edits) {
    for (const token of document.querySelectorAll(".coloured-text .tok[data-span]"))
      token.classList.toggle("touched", edits.some((edit) => meets(edit, spanOf(token))));
  }

  /* A coloured text may come after what was touched in it, as from a link. */
  let marking = 0;
  new MutationObserver((changes) => {
    const page = pageOf();
    const known = page && pages.get(page);
    if (!known || !known.edits.length || marking) return;
    const came = (node) => node.nodeType === 1 && (node.matches(".coloured-text, .tok") || node.querySelector(".coloured-text"));
    if (!changes.some((change) => Array.from(change.addedNodes).some(came))) return;
    marking = window.requestAnimationFrame(() => {
      marking = 0;
      marks(pages.get(page).edits);
    });
  }).observe(document.documentElement, { subtree: true, childList: true });

  /* The answer to what was touched is there, or why there is none. */
  function settled(answers) {
    const there = answers && ((answers.keys || {}).answer || (answers.sentences || {}).answer);
    if (there && panel()) panel().classList.remove("touch-wait");
  }

  document.addEventListener("click", (event) => {
    const page = pageOf();
    if (!page) return;
    const known = pages.get(page);
    const of = (part) => around(event, `#${page}-touch-${part}`);
    if (of("open")) unfold(page, el(page, "body").hidden);
    else if (!known || !known.about) return;
    else if (of("undo")) undo();
    else if (of("redo")) redo();
    else if (of("clear")) push(page, []);
    else if (of("hide") || of("swap"))
      for (const part of ["hide", "swap"]) el(page, part).setAttribute("aria-pressed", String(Boolean(of(part))));
    else if (around(event, ".touch-word")) {
      const word = around(event, ".touch-word");
      if (swapping(page)) write(page, word);
      else toggle(page, spanOf(word));
    } else if (around(event, ".coloured-text .tok[data-span]") && known.about.text && !String(window.getSelection())) {
      const token = around(event, ".coloured-text .tok[data-span]");
      toggle(page, spanOf(token));
      const under = token.getBoundingClientRect().bottom - panel().getBoundingClientRect().top + 16;
      if (under > 0) window.scrollBy({ top: under }); // what was clicked stays in sight above the panel
    }
  });

  /* Shift and a click on a map over its picture hides that square of the input; a region with Shift and a drag. */
  document.addEventListener("vitrine-touch", (event) => {
    const page = pageOf();
    const known = page && pages.get(page);
    if (!known || !known.about || !known.about.image) return;
    const { from, to } = event.detail;
    const thousand = (a, b) => [Math.round(1000 * Math.min(a, b)), Math.round(1000 * Math.max(a, b))];
    const [[t, b], [l, r]] = [thousand(from[0], to[0]), thousand(from[1], to[1])];
    if (b - t > 30 && r - l > 30) region(page, [t, l, b, r], false);
    else region(page, squareAt(...from), true);
  });

  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "z" || !pageOf()) return;
    if (around(event, "input, textarea, select, [contenteditable]")) return;
    if (!depth() && !top) return;
    event.preventDefault();
    if (event.shiftKey) redo();
    else undo();
  });

  vitrine.touch = { kept };
  window.dash_clientside = Object.assign({}, window.dash_clientside, { touch: { draw, settled } });
})();
