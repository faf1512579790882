/* The steps of a continuation: the slider and the tokens, see viz/components/generation.py. */
(function () {
  "use strict";

  const PATIENCE = 300; // milliseconds that the slider stands still before the page computes
  const waiting = {};

  function chips(area) {
    return Array.from(document.querySelectorAll(`[id="${area}-chips"] .continue-chip`));
  }

  /* Mark the chosen step at once; the page follows when the slider rests. */
  function slide(value, drawn, slider) {
    const area = slider.replace(/-slider$/, "");
    const step = Number(value);
    window.clearTimeout(waiting[area]);
    if (!drawn || !Number.isInteger(step)) return ["", "Step"];
    waiting[area] = window.setTimeout(() => window.dash_clientside.set_props(`${area}-step`, { data: step }), PATIENCE);
    window.requestAnimationFrame(() => mark(area, step));
    const chip = chips(area).find((one) => Number(one.dataset.step) === step);
    return [chip ? chip.dataset.words : "", `Step ${step} of ${drawn.steps - 1}`];
  }

  function mark(area, step) {
    for (const chip of chips(area)) {
      const own = Number(chip.dataset.step);
      chip.classList.toggle("later", own > step);
      if (own === step) chip.setAttribute("aria-current", "step");
      else chip.removeAttribute("aria-current");
    }
  }

  document.addEventListener("click", function (event) {
    const chip = window.vitrine.lib.around(event, ".continue-chip");
    if (!chip) return;
    const area = chip.parentElement.id.replace(/-chips$/, "");
    window.dash_clientside.set_props(`${area}-slider`, { value: Number(chip.dataset.step) });
  });

  window.dash_clientside = Object.assign({}, window.dash_clientside, { generation: { slide } });
})();
