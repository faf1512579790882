"""What the causal page shows of its answers: grids with their words, bars, curves, graphs; and where it has nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.models.card import Card
from backends.requests import key_of
from viz import figures
from viz.components import links as query
from viz.components import method_choice, option_form
from viz.components.alerts import alert
from viz.components.exports import exports
from viz.components.graph import picture
from viz.components.job_panel import CANCELLED, reasons, take_result
from viz.components.offers import offered
from viz.figures.causal_grid import said
from viz.figures.scale import beyond, limits
from viz.figures.words import names, token_names, visible
from viz.pages.causal import edit_heads, effect_grid

if TYPE_CHECKING:
    from backends.jobs.engine import Engine
    from backends.results import Result

QUESTION = "causal"
MOST_HEADS = 200
"""Heads that a table lists; of more, the numbers are saved."""


def options_of(link: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The options that a link carries, by method; nonsense is left out."""
    try:
        given = json.loads(query.text(link, "options", most=4000) or "{}")
    except ValueError:
        return {}
    there = registry.entries("methods")
    own = {m: o for m, o in given.items() if m in there and isinstance(o, dict)} if isinstance(given, dict) else {}
    begun = {method: dict(entry.pair_options) for method, entry in there.items() if entry.question == QUESTION}
    return {**own, **{method: usual | own.get(method, {}) for method, usual in begun.items() if usual}}


def differing(options: Any) -> dict[str, dict[str, Any]]:
    """Of each method the options that are not the usual ones; what cannot be read is left out."""
    found = {}
    for method, own in (options or {}).items():
        try:
            there = option_form.checked(method, own)
            usual = option_form.checked(method, {}) | dict(registry.method(method).pair_options)
            found[method] = {name: value for name, value in there.items() if value != usual[name]}
        except Refused:
            continue
    return {method: own for method, own in found.items() if own}


def form(page: str, method: str, card: Card, values: Any, elsewhere: Sequence[str]) -> Any:
    """The form of a method; choices that this model does not give are left out."""
    if method not in offered(card, QUESTION):
        return []
    there = {"residual": "residual", "attention": "components", "mlp": "components", "heads": "heads"}
    sites = [site for site, need in there.items() if need in card["offers"]]
    without = (*elsewhere, *(() if len(card.get("parts") or {}) > 1 else ("part",)))
    return option_form.form(page, method, values, {"site": sites}, without)


def method_options(card: Card, there: Sequence[str]) -> list[dict[str, Any]]:
    """The sweeps as choices, each with its question as a title."""
    entries = offered(card, QUESTION)
    return [
        {"label": html.Span(entries[name].title, title=method_choice.question(name)), "value": name} for name in there
    ]


def absent(card: Card) -> html.Div:
    """Why nothing of this page fits the model, and where there is something to see."""
    told = [card.get("withdrawn", {}).get(need) for need in ("residual", "answer", "gradient")]
    why = next(filter(None, told), "no blocks were found in it that add to one stream from layer to layer")
    links = [
        dcc.Link("The small GPT-2 that comes with Vitrine", href=query.link("/causal", model="bundled/names")),
        dcc.Link("What drove this model's answer?", href=query.link("/attribution", model=card["name"])),
    ]
    words = f"Interventions change the parts of a transformer, and this model cannot be changed so: {why.rstrip('.')}."
    return html.Div([html.P(words), *[html.Div(link) for link in links]], className="panel")


def share(value: Any) -> float:
    """The slider's value, 0 to 1."""
    try:
        return min(max(float(value), 0.0), 1.0)
    except (TypeError, ValueError):
        return 0.05


def places(engine: Engine, answers: Any, requests: Mapping[str, Any], beside: Any, given: Any) -> tuple[Any, ...]:
    """The grid, or why there is none; the approximate preview with its words; saving.

    A grid carries `asked`, the key of its job: one that was cancelled stays as far as it came.
    """
    image = f"/inputs/{given['digest']}" if given and given.get("image") else ""
    preview, words = _preview(engine, answers, image)
    result = take_result(engine, answers, "exact")
    if result is not None:
        key = answers["keys"]["exact"]
        grid = effect_grid.of_result(result, key, image)
        if grid is None:
            empty = effect_grid.empty("This grid is too large to draw cell by cell: take the figure or the numbers.")
            return empty, preview, words, exports(key, what="this grid", view={}), "mt-2"
        grid["said"] = [*badge(result), effect_grid.strongest(grid), said(result).replace("-", "−"), *whole(result)]
        return grid, preview, words, exports(key, what="this grid", view={}), "mt-2"
    if "exact" not in requests:
        return effect_grid.empty(nothing(beside)), None, "", "", "d-none"
    why = reasons(answers).get("exact")
    if why == CANCELLED:
        return {"stopped": True, "asked": key_of(requests["exact"])}, preview, words, "", "d-none"
    return effect_grid.empty(""), preview, words, "", "d-none"


def filling(engine: Engine, requests: Any, beside: Any, given: Any) -> dict[str, Any] | None:
    """The grid as far as its job has come; None where it shows nothing yet, or has ended."""
    request = (requests or {}).get("exact")
    if not request:
        return None
    key = key_of(request)
    state = engine.state(key)
    preview = state.preview if isinstance(state.preview, Mapping) else {}
    if not preview.get("effect"):
        return None
    image = f"/inputs/{given['digest']}" if given and given.get("image") else ""
    grid = partial(preview, beside, image)
    done, cells = effect_grid.computed(grid)
    return {**grid, "asked": key, "said": [f"Filling: {done} of {cells} cells."]}


def nothing(beside: Any) -> str:
    """Why the grid is empty."""
    if beside and beside.get("failed"):
        return "This method compares two inputs: mend the corrupted one above, or choose head ablation or knockout."
    return "Nothing is computed yet: give an input, and a corrupted one where the method compares two."


def partial(preview: Mapping[str, Any], beside: Any, image: str) -> dict[str, Any]:
    """The grid of a job that still runs; its preview says what the columns are, and in which unit the cells."""
    known = beside or {}
    return effect_grid.of_preview(
        preview["effect"], str(preview.get("across", "position")), known.get("tokens") or [],
        str(preview.get("unit", "so far")), known.get("other"), image, known.get("patches"),
    )  # fmt: skip


def badge(result: Result) -> list[str]:
    """That a grid is approximate, where it is."""
    return ["Approximate: from one gradient, not from interventions."] if result.facts.get("approximate") else []


def whole(result: Result) -> list[str]:
    """That every cell was a whole forward, where the self-test at opening found that none may begin later."""
    if result.facts.get("exact_replay", True):
        return []
    return ["This model's forwards cannot begin at a later layer exactly, so each cell is a whole forward."]


def _preview(engine: Engine, answers: Any, image: str) -> tuple[Any, Any]:
    """The preview beside the exact grid, and how far the two agree once both are there."""
    result, exact = take_result(engine, answers, "preview"), take_result(engine, answers, "exact")
    if result is None:
        return None, ""
    told, scale = "Its correlation with the exact grid is shown once that is there.", None
    if exact is not None and exact.arrays["effect"].shape == result.arrays["effect"].shape:
        scale = limits(exact.arrays["effect"], signed=True)  # what stands side by side has one scale
        told = f"Correlation with the exact grid: {correlated(result, exact)}; on its scale."
        told += f" {beyond(result.arrays['effect'], scale)}.".replace(" .", "")
    mark = html.Span("approximate", className="badge-approximate")
    words = [mark, html.B("Attribution patching, from one gradient. "), told]
    return effect_grid.of_result(result, answers["keys"]["preview"], image, scale), words


def correlated(one: Result, other: Result) -> str:
    """Pearson's correlation of two grids in words."""
    a, b = (r.arrays["effect"].ravel().astype(float) for r in (one, other))
    flat = min(np.ptp(a), np.ptp(b)) == 0
    return "none, one of them is flat" if flat else f"{np.corrcoef(a, b)[0, 1]:.2f}".replace("-", "−")


def drawn(result: Result, id: str, dark: bool, builder: str | None = None, **view: Any) -> list[Any]:
    """A result as a figure that can be saved."""
    figure = figures.draw(result, builder, dark=dark, **view)
    key = key_of(result.request)
    return [picture(id, figure, result.method.replace("_", " "), f"vitrine-{result.method}", key)]


def rest(engine: Engine, answers: Any, tab: str, position: Any, dark: bool, tabs: Sequence[str]) -> tuple[Any, ...]:
    """The pictures of three tabs, four rows of downloads, and the positions to choose from."""
    shown: list[Any] = [no_update] * 3
    saves: list[Any] = [no_update] * len(tabs)
    options, value = no_update, no_update
    result = take_result(engine, answers, tab)
    drawn_here = ("parts", "rivals", "looks")
    if result is None:
        if tab in drawn_here:
            shown[drawn_here.index(tab)] = []
        return *shown, *saves, options, value
    saves[tabs.index(tab)] = exports(answers["keys"][tab], what=f"this {result.method.replace('_', ' ')}")
    if tab in drawn_here:
        view: dict[str, Any] = {}
        if tab == "parts":
            options, value, view = _positions(result, position)
        made = [drawn(result, f"causal-graph-{tab}-{b}", dark, b, **view) for b in figures.available(result)]
        shown[drawn_here.index(tab)] = [*_words(result), *[p for pictures in made for p in pictures]]
    return *shown, *saves, options, value


def _positions(result: Result, position: Any) -> tuple[Any, Any, dict[str, Any]]:
    size = result.arrays["contribution"].shape[1]
    tokens, at = token_names(result, size), int(result.facts.get("position", size - 1))
    options = [{"label": f"where it answers: {at} “{visible(tokens[at])}”", "value": "auto"}]
    options += [{"label": f"{i} “{visible(name)}”", "value": str(i)} for i, name in enumerate(tokens)]
    there = isinstance(position, str) and position.isdecimal() and int(position) < size
    return options, position if there else "auto", {"position": int(position)} if there else {}


def _words(result: Result) -> list[Any]:
    """What a view says in a sentence."""
    facts, told = result.facts, ""
    if "answer" in result.labels and "difference" in result.arrays:
        crossing = facts.get("crossing") or []
        a, b = result.labels["answer"]
        last = result.arrays["difference"][-1]
        ahead, behind = (a, b) if last > 0 else (b, a)
        told = f"“{visible(ahead)}” ends ahead of “{visible(behind)}” by {abs(last):.2f} logits"
        told += f"; it took the lead after {after(crossing[-1])}." if crossing else " and led all the way."
    if "sum_gap" in facts:
        told = f"The bars sum to the logit; the largest miss at any token is {facts['sum_gap']:.1e} of it."
        if not facts.get("heads_apart", True):
            told += " This model's heads cannot be told apart in what attention adds."
    if "specialization" in facts:
        return [statistics(result), *by_head(result)]
    return [html.P(told)] if told else []


def statistics(result: Result) -> html.Dl:
    """What the numbers of all heads together are, and what they mean."""
    facts, unit = result.facts, visible(result.unit, 40)
    rows = [("Specialization", facts["specialization"], f"{unit}, spread of the heads' deviations: near 0, all alike")]
    if facts.get("focus") is not None:
        rows.append(
            ("Focus", facts["focus"], "overlap of what the heads that matter most look at: 1 is the same tokens")
        )
    if facts.get("agreement") is not None:
        about = "rank correlation of looking sharply and mattering: near 0, looks say nothing"
        rows.append(("Agreement", facts["agreement"], about))
    cells = [
        [html.Dt(name), html.Dd([html.B(f"{value:.2f}".replace("-", "−")), f"  {about}"])]
        for name, value, about in rows
    ]
    return html.Dl([cell for pair in cells for cell in pair], className="facts")


def by_head(result: Result) -> list[Any]:
    """Every head's numbers beside one another, those that move the answer most first; none where that would be long."""
    deviation, salience = (result.arrays[name] for name in ("deviation", "salience"))
    effect = result.arrays.get("effect", deviation)
    if deviation.size > MOST_HEADS:
        return []
    layers, heads = (names(result, axis, size) for axis, size in zip(("layer", "head"), deviation.shape, strict=True))
    order = sorted(np.ndindex(deviation.shape), key=lambda at: -deviation[at])
    titles = ("head", f"effect of replacing it ({visible(result.unit, 40)})", "deviation", "sharpness")
    lines = [
        html.Tr([html.Th(f"{layers[a]}.{heads[b]}", scope="row"),
                 *[html.Td(f"{values[a, b]:.3f}".replace("-", "−")) for values in (effect, deviation, salience)]])
        for a, b in order
    ]  # fmt: skip
    head = html.Thead(html.Tr([html.Th(title, scope="col") for title in titles]))
    told = {"tabIndex": 0, "role": "region", "aria-label": "Head statistics, as a table"}
    table = html.Div(
        html.Table([head, html.Tbody(lines)], className="table table-sm"), className="figure-table", **told
    )
    return [html.Details([html.Summary("Head by head"), table])]


def after(depth: str) -> str:
    """A depth of a competition in words: `0 attention` is the attention of layer 0."""
    layer, _, part = depth.partition(" ")
    return f"the {'MLP' if part == 'mlp' else part} of layer {layer}" if part else "the " + depth


def tried(engine: Engine, answers: Any, requests: Mapping[str, Any], card: Any) -> tuple[Any, ...]:
    """The heads to switch, words about them, what was tried, and its downloads."""
    heads = take_result(engine, answers, "heads")
    grid = effect_grid.of_result(heads, answers["keys"]["heads"]) if heads is not None else no_update
    about = (
        f"Each cell: the {heads.unit} when that head alone is set to zero, minus as it is." if heads is not None else ""
    )
    if "changed" not in requests:
        return grid, about, [html.Div("Nothing is changed: click a head, or add an edge.", className="hint")], ""
    result = take_result(engine, answers, "changed")
    if result is None:
        why = reasons(answers).get("changed")
        return grid, about, [] if why else no_update, ""
    generates = bool(card and "generation" in card["offers"])
    return grid, about, edit_heads.told(result, generates), exports(answers["keys"]["changed"], what="this change")


def graph(result: Result, threshold: float, dark: bool) -> list[Any]:
    """The circuit as a graph; a sentence where there are no edges to draw."""
    if "edge" not in result.arrays:
        return [alert("With a corrupted input the edges between the heads are measured too.", "light")]
    return drawn(result, "causal-graph-circuit", dark, "circuit_graph", threshold=threshold)
