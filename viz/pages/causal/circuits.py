"""A circuit on the page: the heads that are chosen, its three criteria in words, and its JSON."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from backends import registry
from backends.errors import Refused
from backends.models.card import Card
from viz.components import offers
from viz.pages.causal import effect_grid
from viz.pages.causal.edit_heads import HEAD, heads_of

if TYPE_CHECKING:
    from backends.results import Result

HEADS = "causal-heads"
GRID = "causal-members"
LARGEST = 200_000
"""Bytes of a circuit's JSON."""
THRESHOLDS = (0.0, 1.0, 0.01)


def parts(threshold: float) -> list[Any]:
    """The heads to choose, the criteria, the graph with its threshold, and the JSON."""
    low, high, step = THRESHOLDS
    slider = dbc.Input(id="causal-threshold", type="range", min=low, max=high, step=step, value=threshold)
    return [
        effect_grid.parts(GRID, "Heads of the circuit: effect of replacing each alone", HEADS, "in the circuit"),
        html.Div(
            [
                dbc.Button("Take these heads", id="causal-take", size="sm", color="secondary", outline=True),
                dbc.Button("Choose by effect", id="causal-clear", size="sm", color="secondary", outline=True),
                dbc.Button("Save JSON", id="causal-save", size="sm", color="secondary", outline=True),
                dcc.Upload(
                    html.Span("Open a circuit's JSON", className="upload-words"), id="causal-load", accept=".json",
                    max_size=-1, className="upload circuit-load",
                ),
                dcc.Download(id="causal-saved"),
            ],
            className="apply-row",
        ),
        html.Div(id="causal-load-problem", role="alert"),
        html.Div(id="causal-criteria", role="status"),
        html.Div(
            [
                html.Label("Edges that restore at least", htmlFor="causal-threshold", id="causal-threshold-label"),
                slider,
            ],
            id="causal-threshold-area",
            className="d-none",
        ),
        html.Div(id="causal-graph", className="pictures"),
    ]  # fmt: skip


def criteria(result: Result) -> list[Any]:
    """Faithfulness, completeness and minimality in words, with their numbers."""
    facts, members = result.facts, result.labels["member"]
    least = facts["minimality_least"]
    weakest = members[int(result.arrays["minimality"].argmin())]
    needed = f"what the least needed head ({weakest}) changes: near 0, it could go"
    rows = (
        ("Heads", f"{len(members)}: {', '.join(members[:24])}{' …' if len(members) > 24 else ''}", ""),
        ("Faithfulness", f"{facts['faithfulness']:.2f}", "share of all heads' work that these do alone: 1 is all"),
        (
            "Completeness",
            f"gap {facts['completeness_gap']:.3f}",
            "how far network and circuit part without the same heads",
        ),
        ("Minimality", f"{least:.2f}", needed),
    )
    cells = [
        [html.Dt(name), html.Dd([html.B(value.replace("-", "−")), f"  {about}" if about else ""])]
        for name, value, about in rows
    ]
    ablation = facts["ablation"]
    other = {"resample": "their values for the corrupted input", "mean": "their mean over tokens", "zero": "zero"}
    note = f"Heads outside the circuit are replaced by {other.get(ablation, ablation)}; measured on this input only."
    return [html.Dl([c for pair in cells for c in pair], className="facts"), html.P(note, className="hint")]


def written(result: Result) -> str:
    """The circuit's JSON, as the command line and the door take it."""
    return json.dumps(result.facts["circuit"], indent=1, ensure_ascii=False)


def command(result: Result) -> list[Any]:
    """How to replay it without the page: on the command line, and in a script."""
    facts, request = result.facts, result.request
    target = request.get("target")
    words = "|".join(map(str, target)) if isinstance(target, list) else str(target or "")
    given = {
        "--model": request.get("model", ""),
        "--input": facts.get("text") or "FILE",
        "--corrupted": facts.get("corrupted_text") or ("FILE" if "corrupted_tokens" in facts else ""),
        "--target": words,
    }
    shown = " ".join(f"{name} {shlex.quote(str(value))}" for name, value in given.items() if value)
    line = f"python app.py run {result.method} --circuit circuit.json {shown}"
    clean, corrupted = (facts.get(name) for name in ("text", "corrupted_text"))
    raw = {"clean": clean or "FILE", **({"corrupted": corrupted or "FILE"} if "corrupted_tokens" in facts else {})}
    script = "\n".join([
        "import json, backends",
        "from backends.methods.causal import circuit",
        f"model = backends.open_model({str(request.get('model', ''))!r})",
        "options = circuit.options(json.load(open('circuit.json')))",
        f"backends.run(model, {result.method!r}, {raw!r}, target={target!r}, **options)",
    ])  # fmt: skip
    parts = [html.P("With the saved JSON beside it:", className="hint mb-1"), html.Pre(line), html.Pre(script)]
    return [html.Details([html.Summary("Replay it on the command line, or in a script"), *parts])]


def opened(contents: Any, card: Card | None) -> tuple[list[str], dict[str, Any]]:
    """Heads and options of an uploaded JSON. Raises `Refused` on what is no circuit of this model."""
    entry: Any = registry.method(offers.needing("causal", "circuit"))
    try:
        data = base64.b64decode(str(contents).split(",", 1)[1], validate=True)
        given = json.loads(data.decode("utf-8")) if len(data) <= LARGEST else None
    except (IndexError, ValueError) as error:
        raise Refused("this file is no JSON; open one that “Save JSON” has made") from error
    if len(data) > LARGEST:
        raise Refused(f"a circuit's JSON has at most {LARGEST >> 10} KB, not {len(data) >> 10}")
    given = given.get("facts", {}).get("circuit", given) if isinstance(given, dict) else given
    found = entry.replayed(given)
    heads = found.pop("heads")
    wrong = (
        next((h for h in heads if not (isinstance(h, str) and HEAD.fullmatch(h))), None)
        if isinstance(heads, list)
        else heads
    )
    if wrong is not None or not heads:
        raise Refused(f"the heads of a circuit are given as layer.head, such as 2.1, not {str(wrong)[:40]!r}")
    layers, count = (card["layers"], card["heads"]) if card else (0, 0)
    for head in heads:
        layer, _, number = head.partition(".")
        if card and layers and count and (int(layer) >= layers or int(number) >= count):
            raise Refused(f"this circuit has head {head}, and {card['name']} has {layers} layers of {count} heads")
    return heads, found


def asked(link: Mapping[str, Any]) -> list[str]:
    """The circuit's heads as a link names them."""
    return heads_of(link, "heads")


def chosen(heads: Sequence[str]) -> tuple[str, ...]:
    """Heads in the network's order."""
    return tuple(sorted(heads, key=lambda head: tuple(map(int, head.split(".")))))
