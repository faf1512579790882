"""Try it: heads switched off and attention edges changed, and what the model then answers and writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from backends.errors import Refused
from backends.models.card import Card
from viz.components import links
from viz.components.alerts import alert
from viz.figures.words import percent, visible
from viz.pages.causal import effect_grid

if TYPE_CHECKING:
    from backends.results import Result

PAGE = "causal"
CHANGES, EACH_HEAD = "knockout", "head_ablation"
"""The methods behind this tab: its controls are the options of the one, its grid of heads is the other's."""
OFF, EDGES, ALPHA = "causal-off", "causal-edges", "causal-alpha"
ENDS = {"layer": "in layer", "head": "head", "query": "token", "key": "looks at"}
"""The four ends of an edge, with the words before each choice."""
ALL_OF = "*"
GRID = "causal-switch"
HEAD = re.compile(r"\d{1,4}\.\d{1,4}")
EDGE = re.compile(r"(\d{1,4}|\*)(\.(\d{1,4}|\*)){3}")
MOST = 64
ADDED = 12
"""Tokens that the model writes with the changes."""


def heads_of(link: Mapping[str, Any], name: str) -> list[str]:
    """Heads that a link names as layer.head, each once."""
    return list(dict.fromkeys(part for part in links.values(link, name, MOST * 16) if HEAD.fullmatch(part)))


def edges_of(link: Mapping[str, Any]) -> list[str]:
    """Edges that a link names as layer.head.query.key."""
    return list(dict.fromkeys(part for part in links.values(link, "edges", MOST) if EDGE.fullmatch(part)))


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The heads to switch, the edges to change, and what comes of it."""
    alpha = links.text(link, "alpha", "0", most=8)
    strength = dbc.Input(id=ALPHA, type="number", min=0, max=1000, step="any", value=alpha, size="sm", debounce=True)
    return [
        effect_grid.parts(GRID, "Heads to switch off", OFF, "switched off"),
        html.Div(id="causal-off-words", className="hint"),
        html.Fieldset(
            [
                html.Legend("Change what a token looks at"),
                *[part for name, words in ENDS.items() for part in _end(name, words)],
                dbc.Button("Add", id="causal-edge-add", size="sm", color="secondary", outline=True),
                html.Span(
                    [html.Label("attention times", htmlFor=ALPHA, className="form-label"), strength],
                    className="edge-end",
                    title="0 cuts the edge; the rest of the row is scaled so that it sums to one",
                ),
                dbc.Button("Undo all", id="causal-undo", size="sm", color="secondary", outline=True),
            ],
            className="choices edge-row",
        ),
        html.Div(id="causal-edge-problem", role="alert"),
        html.Div(id="causal-changes", className="followed"),
        html.Div(id="causal-tried", className="tried", role="status"),
    ]


def _end(name: str, words: str) -> list[Any]:
    select = dbc.Select(id=f"causal-edge-{name}", options=[], value=ALL_OF, size="sm")
    label = html.Label(words, htmlFor=f"causal-edge-{name}", className="form-label")
    return [html.Span([label, select], className="edge-end")]


def register(app: Dash, card: str, prediction: str) -> None:
    """Connect the switches, the edges and the chips that undo them; `card` and `prediction` are the page's stores."""
    effect_grid.register(app, GRID, OFF)

    @app.callback(
        *[Output(f"causal-edge-{name}", part) for name in ENDS for part in ("options", "value")],
        Input(card, "data"),
        Input(prediction, "data"),
    )
    def offer(card: Card | None, prediction: Any) -> Any:
        return [value for options in ends(card, prediction) for value in (options, start(options))]

    @app.callback(
        Output(EDGES, "data"),
        Output(OFF, "data"),
        Output("causal-edge-problem", "children"),
        Input("causal-edge-add", "n_clicks"),
        Input("causal-undo", "n_clicks"),
        Input({"type": "causal-drop", "index": ALL}, "n_clicks"),
        *[State(f"causal-edge-{name}", "value") for name in ENDS],
        State(EDGES, "data"),
        State(OFF, "data"),
        prevent_initial_call=True,
    )
    def change(
        _add: int | None,
        _undo: int | None,
        drops: Any,
        layer: Any,
        head: Any,
        token: Any,
        key: Any,
        edges: list[Any] | None,
        off: list[Any] | None,
    ) -> Any:
        asked = ctx.triggered_id
        if isinstance(asked, dict):
            if not any(drops):
                return [no_update] * 3
            gone = asked["index"]
            return [e for e in edges or [] if e != gone], [h for h in off or [] if h != gone], ""
        if asked == "causal-undo":
            return [], [], ""
        try:
            return with_edge(edges or [], f"{layer}.{head}.{token}.{key}"), no_update, ""
        except Refused as refused:
            return no_update, no_update, alert(str(refused))

    @app.callback(
        Output("causal-changes", "children"), Input(OFF, "data"), Input(EDGES, "data"), Input(prediction, "data")
    )
    def chips(off: list[Any] | None, edges: list[Any] | None, prediction: Any) -> Any:
        there = tokens(prediction)
        return [chip(name, there) for name in [*(off or []), *(edges or [])]]


def tokens(prediction: Any) -> list[str]:
    """The names of the input's tokens, or of the picture's patches."""
    known = prediction or {}
    return effect_grid.patch_names(known["patches"]) if known.get("patches") else list(known.get("tokens") or [])


def ends(card: Any, prediction: Any) -> list[list[dict[str, str]]]:
    """The layers, heads, tokens that look and tokens that are looked at, to choose from; each of them or all."""
    there = [{"label": f"{i} {visible(name, 20)}", "value": str(i)} for i, name in enumerate(tokens(prediction))]
    sizes = ((card or {}).get("layers") or 0, (card or {}).get("heads") or 0)
    counts = [[{"label": str(i), "value": str(i)} for i in range(size)] for size in sizes]
    return [[{"label": "all", "value": ALL_OF}, *some] for some in (*counts, there, there)]


def start(options: Sequence[Mapping[str, str]]) -> str:
    """What a choice begins with: everything."""
    return options[0]["value"]


def with_edge(edges: Sequence[str], typed: Any) -> list[str]:
    """The edges with one more, layer.head.query.key. Raises `Refused`."""
    text = str(typed or "").strip().replace(" ", "")
    if not EDGE.fullmatch(text):
        raise Refused(f"an edge is four numbers, layer.head.query.key, * for all, such as 1.0.13.4, not {text[:40]!r}")
    if text.split(".")[-2:] == [ALL_OF, ALL_OF]:
        raise Refused(
            "choose the token that looks, the token that is looked at, or both; all of both is the whole head"
        )
    if len(edges) >= MOST:
        raise Refused(f"at most {MOST} edges are changed at a time; drop one first")
    return list(dict.fromkeys([*edges, text]))


def chip(name: str, tokens: Sequence[str] = ()) -> html.Button:
    """One change in words, undone by a click."""
    words = edge_words(name, tokens) if name.count(".") == 3 else f"head {name} off"
    return html.Button(
        [words, html.Span("×", className="chip-x", **{"aria-hidden": "true"})],
        id={"type": "causal-drop", "index": name},
        className="chip",
        type="button",
        **{"aria-label": f"Undo: {words}"},
    )


def edge_words(edge: str, tokens: Sequence[str]) -> str:
    """An edge in words: whose attention from which token to which."""
    layer, head, looks, seen = edge.split(".")

    def named(part: str) -> str:
        known = part.isdecimal() and int(part) < len(tokens)
        return "all tokens" if part == ALL_OF else f"“{visible(tokens[int(part)], 20)}” ({part})" if known else part

    where = {(True, True): "everywhere", (True, False): f"head {head} of all layers",
             (False, True): f"all heads of layer {layer}", (False, False): f"head {layer}.{head}"}  # fmt: skip
    return f"{where[layer == ALL_OF, head == ALL_OF]}: {named(looks)} looking at {named(seen)}"


def options(off: Any, edges: Any, alpha: Any, generates: bool) -> dict[str, Any]:
    """The options of `knockout` for what was changed."""
    try:
        times = float(alpha)
    except (TypeError, ValueError):
        raise Refused("by what the attention on the edges is multiplied must be a number from 0 to 1000") from None
    kept = {"edges": tuple(edges or ()), "heads": tuple(off or ()), "alpha": times}
    return kept | ({"tokens": ADDED} if generates else {})


def told(result: Result, generates: bool) -> list[Any]:
    """The answers before and after, the text before and after, and the change in numbers."""
    rows = result.facts["compared"]
    moved = number(result.facts["together"])
    was, now = (max(rows, key=lambda row: row[side])["label"] for side in ("before", "after"))
    said = (
        f"The answer is now “{visible(now)}” instead of “{visible(was)}”." if was != now else f"Still “{visible(now)}”."
    )
    change = f" The {result.unit} of {visible(result.target, 80)} moves by {moved}." if result.target else ""
    parts: list[Any] = [html.P([html.B(said), change], className="mb-2"), bars(rows)]
    if generates and result.facts.get("continued"):
        sides = zip(("As it is", "Changed"), result.facts["continued"], strict=True)
        parts.append(html.Div([html.Div([html.B(f"{n}: "), visible(t, 200)]) for n, t in sides], className="written"))
    return parts


def number(value: float) -> str:
    """A signed number with a true minus sign."""
    return f"{value:+.3f}".replace("-", "−")


def bars(rows: Sequence[Mapping[str, Any]]) -> html.Div:
    """One pair of bars an answer, the probability as it is above the changed one."""

    def bar(side: str, value: float) -> html.Div:
        track = html.Span(html.Span(className=f"tried-bar {side}", style={"width": f"{100 * value:.1f}%"}))
        track.className = "tried-track"
        number = html.Span(percent(value), className="tried-number")
        return html.Div([html.Span(side, className="tried-side"), track, number], className="tried-line")

    def answer(row: Mapping[str, Any]) -> html.Div:
        label = html.Div(f"“{visible(row['label'])}”", className="tried-label")
        return html.Div([label, *[bar(side, row[side]) for side in ("before", "after")]], className="tried-answer")

    return html.Div([answer(row) for row in rows[:8]], className="tried-bars")
