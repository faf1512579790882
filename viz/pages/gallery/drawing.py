"""A drawing and its prompt: point at a word, and see which places of the picture read it while it formed."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import catalog
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.requests import key_of
from backends.results import Result
from viz.components import links, offers
from viz.components.job_panel import Answers, JobPanel, if_new, in_words, reasons
from viz.components.workbench import run_request
from viz.figures import word_maps
from viz.figures.words import visible
from viz.server.diffusion_files import laid_over

MODEL = "bundled/scenes"
EXAMPLE = 0
SIZE = 256
"""Pixels of the picture that is sent, at least: its own are enlarged by a whole number."""
PANEL = JobPanel("gallery", "drawing", "Drawing", tell=False)
WORD = "gallery-drawing-word"
CHOSEN = "gallery-drawing-chosen"
INVITATION = "Point at a word: where did it go?"
WAITING = "The network draws it once more, and notes what each place reads …"


def prompt() -> str:
    """What is drawn; empty where this Vitrine does not ship the model."""
    examples = catalog.card(MODEL).get("examples", [])
    return str(examples[EXAMPLE]["input"]) if examples else ""


def parts() -> html.Section:
    """The drawing with the words of its prompt as buttons, and what was seen."""
    words = [
        html.Button(
            word, id={"type": WORD, "index": i}, type="button", className="drawing-word", **{"aria-pressed": "false"}
        )
        for i, word in enumerate(prompt().split())
    ]
    cover = html.Img(src="/assets/covers/drawing.webp", alt=f"A drawing: {prompt()}", width=64, height=64)
    return html.Section(
        [
            html.Div(cover, id="gallery-drawing-picture", className="drawing-picture"),
            html.Div(
                [
                    html.H2("A network draws"),
                    html.P(words, className="drawing-text", role="group", **{"aria-label": "The words of the prompt"}),
                    html.P(INVITATION, id="gallery-drawing-said", className="exhibit-said", role="status"),
                    html.P(
                        [dcc.Link("Look inside", href=path(), className="exhibit-further"), " of this drawing."],
                        className="hint exhibit-more",
                    ),
                ]
            ),
            dcc.Store(id=CHOSEN),
            PANEL.parts(),
        ],
        className="panel exhibit exhibit-drawing",
        **{"aria-label": "A network that draws"},
    )  # fmt: skip


def path() -> str:
    """The diffusion page with this drawing."""
    return links.link("/diffusion", model=MODEL, prompt=prompt(), draw="1")


def register(app: Dash, engine: Engine) -> None:
    """Connect the words to the maps of the drawing."""
    PANEL.register(app, engine)

    @app.callback(
        Output(PANEL.requests, "data"),
        Input(CHOSEN, "data"),
        State(PANEL.requests, "data"),
        prevent_initial_call=True,
    )
    def ask(chosen: int | None, before: Any) -> Any:
        return no_update if chosen is None else if_new(requests(engine), before)  # who only passes by asks nothing

    @app.callback(
        Output(CHOSEN, "data"),
        Output({"type": WORD, "index": ALL}, "aria-pressed"),
        Input({"type": WORD, "index": ALL}, "n_clicks"),
        State(CHOSEN, "data"),
        prevent_initial_call=True,
    )
    def choose(clicks: Sequence[int | None], before: int | None) -> tuple[Any, Any]:
        if not any(clicks) or not isinstance(ctx.triggered_id, Mapping):
            return no_update, [no_update] * len(clicks)
        at = ctx.triggered_id["index"]
        chosen = None if at == before else at
        return chosen, [str(i == chosen).lower() for i in range(len(clicks))]

    @app.callback(
        Output("gallery-drawing-picture", "children"),
        Output("gallery-drawing-said", "children"),
        Input(PANEL.answers, "data"),
        Input(CHOSEN, "data"),
        prevent_initial_call=True,
    )
    def show(answers: Answers | None, chosen: int | None) -> tuple[Any, Any]:
        result = kept(engine)
        if result is None:
            why = reasons(answers).get("drawing")
            return no_update, in_words(why) if why else WAITING if chosen is not None else INVITATION
        picture = html.Img(src=address(result, chosen), alt=f"A drawing: {prompt()}", width=64, height=64)
        return picture, tell(result, chosen) if chosen is not None else INVITATION


def requests(engine: Engine) -> dict[str, Any]:
    """The job that draws and keeps the words' maps; none where the model is not shipped."""
    if not prompt():
        return {}
    shipped, revision = catalog.card(MODEL), catalog.resolve(MODEL).revision
    card: Any = {"name": MODEL, "revision": revision, "offers": sorted(catalog.expected_offers(shipped))}
    given: Any = {"digest": engine.store.put_input({"text": prompt()})}
    seed = shipped["examples"][EXAMPLE].get("seed", 0)
    method = offers.first(card, "diffusion", "word_maps")
    return {"drawing": run_request(card, given, method, {"seed": seed, "by_step": False, "by_layer": False}, None)}


def kept(engine: Engine) -> Result | None:
    """The drawing, where the store has it, whoever asked."""
    request = requests(engine).get("drawing")
    key = key_of(request) if request else ""
    try:
        return engine.store.get_result(key) if key and engine.store.has(key) else None
    except Refused:
        return None


def address(result: Result, chosen: int | None = None) -> str:
    """The drawing as the address of a WEBP, with the map of the word `chosen` over it."""
    from PIL import Image

    picture = Image.fromarray(result.arrays["image"]).convert("RGB")
    by = max(1, -(-SIZE // max(picture.size)))
    picture = picture.resize((by * picture.width, by * picture.height), Image.Resampling.BICUBIC)
    if chosen is not None and chosen < len(result.labels["word"]):
        maps = word_maps.enlarged(result.arrays["map"], picture.height, picture.width)
        grey = picture.convert("L").convert("RGB")
        picture = laid_over(grey, maps[chosen], float(maps.max()))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def tell(result: Result, chosen: int) -> str:
    """Where a word's map lies: on the thing that it names, where that is known, else in which part of the drawing."""
    words = result.labels["word"]
    if chosen >= len(words):
        return INVITATION
    high, wide = result.arrays["image"].shape[:2]
    maps = word_maps.enlarged(result.arrays["map"], high, wide)
    mask, total = word_maps.truth(result).get(chosen), float(maps[chosen].sum())
    name = f"“{visible(words[chosen], 24)}”"
    if mask is not None and mask.any() and total > 0:
        on = float(maps[chosen][mask].sum()) / total
        thing = _thing(result, chosen)
        if on > mask.mean():
            share = f"{100 * on:.0f} % of its map lies on it, which fills {100 * mask.mean():.0f} % of the drawing"
            return f"{name} went to the {thing}: {share}."
        share = f"{100 * on:.0f} % of its map lies on it, no more than its share of the drawing"
        return f"{name} did not go to the {thing}: {share}."
    strength = float(maps[chosen].max()) / (float(maps.max()) or 1.0)
    where = word_maps.place(np.asarray(word_maps.masks(maps, word_maps.THRESHOLD)[chosen]))
    peak = f"its peak there is {100 * strength:.0f} % of the strongest word's"
    return f"{name} names no thing that was drawn; it was read most at the {where}, and {peak}."


def _thing(result: Result, chosen: int) -> str:
    """The colour and the shape that stand together at a word, such as `red circle`."""
    from backends.bundled.data import scenes

    words = [word.lower() for word in result.labels["word"]]
    first = chosen if words[chosen] in scenes.COLOURS else chosen - 1
    return " ".join(words[first : first + 2])
