"""The left side of the diffusion page: which pipeline draws, the prompt, and how; the prompt is the input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from backends import catalog
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components import links as link
from viz.components import offers
from viz.components.inputs import PageInput
from viz.components.job_panel import JobPanel, answer_keys
from viz.components.method_panel import MethodPanel
from viz.components.model_picker import DRAWS, ModelPicker
from viz.components.on_demand_receipt import OnDemandReceipt
from viz.components.workbench import run_request
from viz.figures import word_maps

PAGE = "diffusion"
TASK = DRAWS
MAPS = "word_maps"
"""The view whose one method this page draws."""
STEPS = 20
STAGES = 20
"""At most so many stages of the forming picture are kept."""
FEW_HEADS = 64
"""Up to so many heads are kept apart unasked."""
EMPTY = "an empty prompt: write what the picture should show, such as a red circle above a blue square"
HEADS = {"auto": "as the network's size suggests", "apart": "kept apart (exact)", "averaged": "averaged first (fast)"}
BESIDE = {"none": "nothing", "seed": "the same prompt, another seed", "prompt": "another prompt, the same seed"}
PROMPTS = ("a red circle above a blue square", "a green triangle left of a red circle")
LINKED = ("prompt", "negative", "seed", "steps", "guidance", "height", "width", "heads", "beside", "prompt2", "seed2")
"""What of the form travels in the link."""
PICKER = ModelPicker(
    PAGE,
    kind="pipeline",
    task=TASK,
    without="",
    placeholder="stable-diffusion-v1-5/stable-diffusion-v1-5 · ~/my-pipeline",
    hint="Enter opens it: Stable Diffusion 1, 2, XL or 3, FLUX.",
)
RUN = JobPanel(PAGE, "run", "Drawing")
TEST = OnDemandReceipt(
    PAGE, "should you believe this map?", "Test it: draw without the word", "Drawing without the word", "Is it true of"
)


def drawn_prompt(card: Card | None, requests: Any, entry: Any) -> PageInput | None:
    """The prompt that was drawn last, as a method without a tab takes it; None while none was drawn."""
    return {"digest": requests["a"]["input"]} if card and requests else None


OTHERS = MethodPanel(PAGE, (f"{PAGE}-card", RUN.requests, None), (MAPS,), (), drawn_prompt)
"""Methods of this question that no tab draws."""


def part(name: str) -> str:
    """The id of one part of the page."""
    return f"{PAGE}-{name}"


def field_id(name: str) -> str:
    """The id of the form's field for one parameter of the link."""
    return part("text" if name == "prompt" else name)


def wanted(query: Mapping[str, Any]) -> str:
    """The model of the link; a shipped one that does not draw, which other pages' links carry, is passed over."""
    name = link.text(query, "model", most=300)
    shipped = {c["name"]: c["task"] for c in catalog.bundled()}
    if name and shipped.get(name.partition("?")[0], TASK) == TASK:
        return name
    return PICKER.wanted({})


def side(query: Mapping[str, Any]) -> html.Div:
    """The panels as the link `query` left them."""
    panels = [("Model", PICKER.parts(wanted(query))), ("Prompt", _prompt(query)), ("Drawing", _settings(query))]
    return html.Div(
        [html.Section([html.H2(title), *parts], className="panel", **{"aria-label": title}) for title, parts in panels],
        className="workbench easel",
    )


def _prompt(query: Mapping[str, Any]) -> list[Any]:
    return [
        html.Div(id=part("examples"), className="examples", role="group", **{"aria-label": "Examples"}),
        html.Label("Prompt", htmlFor=part("text"), className="form-label"),
        dbc.Textarea(id=part("text"), rows=3, spellcheck=False, value=link.text(query, "prompt"), maxlength=4000),
        html.Label("Not in the picture (negative prompt)", htmlFor=part("negative"), className="form-label mt-2"),
        dbc.Input(id=part("negative"), value=link.text(query, "negative"), maxlength=1000, autocomplete="off"),
        html.Div(
            [
                dbc.Button("Draw", id=part("apply"), color="primary", size="sm"),
                html.Span("Ctrl + Enter", className="hint"),
            ],
            className="apply-row",
        ),
        html.Div(id=part("problem"), role="alert", className="problem"),
    ]


def _settings(query: Mapping[str, Any]) -> list[Any]:
    def number(name: str, label: str, low: float, high: float, step: Any, value: Any = None) -> html.Div:
        asked = link.text(query, name, most=12)
        return html.Div(
            [
                html.Label(label, htmlFor=part(name), className="form-label"),
                dbc.Input(
                    id=part(name), type="number", size="sm", min=low, max=high, step=step,
                    value=_number(asked) if asked else value,
                ),
            ]
        )  # fmt: skip

    def select(name: str, label: str, choices: Mapping[str, str]) -> list[Any]:
        options = [{"label": words, "value": value} for value, words in choices.items()]
        value = link.choice(query, name, tuple(choices), next(iter(choices)))
        return [
            html.Label(label, htmlFor=part(name), className="form-label mt-2"),
            dbc.Select(id=part(name), options=options, value=value, size="sm"),
        ]

    return [
        html.Div(
            [
                number("seed", "Seed", 0, 2**32 - 1, 1, 0),
                number("steps", "Steps", 1, 500, 1, STEPS),
                number("guidance", "Guidance", 0, 50, "any"),
                number("height", "Height (px)", 8, 4096, 1),
                number("width", "Width (px)", 8, 4096, 1),
            ],
            className="easel-numbers",
        ),
        html.Div("Empty: the pipeline's own.", className="hint"),
        *select("heads", "Heads", HEADS),
        *select("beside", "Beside it", BESIDE),
        html.Div(
            [
                html.Label("The other seed", htmlFor=part("seed2"), className="form-label mt-2"),
                dbc.Input(
                    id=part("seed2"), type="number", size="sm", min=0, max=2**32 - 1, step=1,
                    value=1 if (other := _number(link.text(query, "seed2", most=12))) is None else other,
                ),
            ],
            id=part("seed2-area"),
            className="d-none",
        ),
        html.Div(
            [
                html.Label("The other prompt", htmlFor=part("prompt2"), className="form-label mt-2"),
                dbc.Textarea(
                    id=part("prompt2"), rows=2, spellcheck=False, value=link.text(query, "prompt2"), maxlength=4000,
                ),
            ],
            id=part("prompt2-area"),
            className="d-none",
        ),
    ]  # fmt: skip


def _number(text: str) -> float | int | None:
    """A number out of a link; what is none is left out."""
    try:
        value = float(text)
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def placeholders(card: Card | None) -> list[str]:
    """The pipeline's own guidance, height and width, for the empty fields."""
    own = card.get("painting", {}) if card else {}
    size = own.get("size") or ["", ""]
    return [f"{own['guidance']:g}" if "guidance" in own else "", str(size[0]), str(size[1])]


def apart(card: Card, heads: str) -> bool:
    """Whether heads are kept apart: when asked to, or where there are few."""
    if heads in ("apart", "averaged"):
        return heads == "apart"
    return sum(layer["heads"] for layer in card.get("painting", {}).get("layers", [])) <= FEW_HEADS


def requests(engine: Engine, card: Card, form: Mapping[str, Any]) -> dict[str, Any]:
    """The jobs that draw what the form says: `a`, and `b` beside it. Raises `Refused`."""
    asked = {"a": _request(engine, card, form, str(form.get("prompt") or ""), form.get("seed"))}
    beside = form.get("beside")
    if beside == "seed":
        asked["b"] = _request(engine, card, form, str(form.get("prompt") or ""), form.get("seed2"))
    elif beside == "prompt":
        asked["b"] = _request(engine, card, form, str(form.get("prompt2") or ""), form.get("seed"))
    return asked


def _request(engine: Engine, card: Card, form: Mapping[str, Any], prompt: str, seed: Any) -> dict[str, Any]:
    if not prompt.strip():
        raise Refused(EMPTY)
    steps = form.get("steps") or STEPS
    by_head = apart(card, str(form.get("heads") or ""))
    options = {name: form.get(name) for name in ("guidance", "height", "width") if form.get(name) is not None}
    options |= {"steps": steps, "seed": seed or 0, "negative": str(form.get("negative") or "")}
    options |= {"frames": min(int(steps), STAGES), "by_head": by_head, "mode": "exact" if by_head else "fast"}
    return run_request(
        card, {"digest": engine.store.put_input({"text": prompt})}, offers.first(card, PAGE, MAPS), options, None
    )


def tests(engine: Engine, answers: Any, requests: Any) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """The maps that can be tested, words that mean something first: see `retest`."""
    found: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
    keys = answer_keys(answers)
    for name in [name for name in sorted(keys) if name in (requests or {})]:
        words = engine.store.get_result(keys[name]).labels["word"]
        content = set(word_maps.content(words))
        side = "" if len(keys) == 1 else {"a": " (left)", "b": " (right)"}[name]
        for at in sorted(range(len(words)), key=lambda at: at not in content):
            found[f"{name}{at}"] = (f"“{words[at]}”{side}", requests[name], {"word": at})
    return found


def link_params(card: Card, form: Mapping[str, Any]) -> dict[str, str]:
    """What the link says of the drawing; fields that are as the page opens are left out."""
    usual = {"seed": "0", "steps": str(STEPS), "seed2": "1", "heads": "auto", "beside": "none"}
    beside = {"seed2": "seed", "prompt2": "prompt"}
    kept = {"model": str(card["name"])}
    for name in LINKED:
        value = "" if form.get(name) is None else str(form[name])
        if value and value != usual.get(name) and beside.get(name, form.get("beside")) == form.get("beside"):
            kept[name] = value
    return kept


def examples(card: Card) -> list[Any]:
    """One button a prompt to begin with: the card's own, else two of ours."""
    there = card.get("examples") or [{"name": text, "input": text} for text in PROMPTS]
    return [
        html.Button(
            example["name"], id={"type": part("example"), "index": i}, className="example", type="button",
            title=f"{example['input']}: {example['note']}" if example.get("note") else example["input"],
        )
        for i, example in enumerate(there)
    ]  # fmt: skip


def example(card: Card, index: int) -> tuple[str, int]:
    """Prompt and seed of an example."""
    there = card.get("examples") or [{"input": text} for text in PROMPTS]
    chosen = there[index] if 0 <= index < len(there) else there[0]
    return chosen["input"], int(chosen.get("seed", 0))


def unfit(card: Card) -> str:
    """Why this model cannot be looked at here; empty where it can."""
    if "denoising" not in card["offers"]:
        return (
            f"{card['name']} draws no pictures ({card['task']}): this page takes a diffusers pipeline that draws "
            "from words. The other pages look into this model."
        )
    if "cross_attention" not in card["offers"]:
        return str(card.get("withdrawn", {}).get("cross_attention") or f"{card['name']} has no cross-attention")
    return ""


def linked(query: Mapping[str, Any]) -> dict[str, Any]:
    """What is still to be done for a link: draw its prompt, or the prompt of an input that is kept here."""
    return {"draw": bool(link.text(query, "prompt")), "input": link.digest(query)}


def stores(query: Mapping[str, Any]) -> list[Any]:
    """The stores of model, link and what is shown."""
    names = ("card", "spec", "settled")
    return [dcc.Store(id=part("linked"), data=linked(query)), *[dcc.Store(id=part(n)) for n in names]]
