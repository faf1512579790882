"""What the data page shows of a table: its columns and rows, how well the model does, and one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from backends import registry
from backends.models.card import Card
from backends.results import Result
from viz.components import workbench
from viz.components.inputs import PageInput
from viz.components.links import link
from viz.figures.mean_words import strongest
from viz.figures.words import visible
from viz.pages import pages_for

LONGEST = 300
"""Characters of a text that its row shows; the whole of it stands below the table."""
ANY = "·any"
"""The value of a filter that lets everything through: the empty text is none in a picker."""
OUTCOMES = {ANY: "all rows", "right": "right", "wrong": "wrong", "failed": "with a problem", "unlabelled": "no label"}


def grid_rows(given: Sequence[Mapping[str, Any]], answers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the grid: what was given beside what was answered; long texts are cut."""
    return [
        {
            "id": str(i), "n": i, "name": g["name"], "text": _short(g.get("text", "")), "digest": g["digest"],
            "label": a["label"] if a["label"] is not None else g["label"], "predicted": a["predicted"],
            "probability": a["probability"], "problem": a["problem"],
            "outcome": "" if a["right"] is None else "right" if a["right"] else "wrong",
        }
        for i, (g, a) in enumerate(zip(given, answers, strict=True), 1)
    ]  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def matches(row: Mapping[str, Any], label: str = ANY, predicted: str = ANY, outcome: str = ANY, find: str = "") -> bool:
    """Whether the grid shows `row` under these filters; assets/data.js does the same in the browser."""
    kept = {
        "right": row["outcome"] == "right", "wrong": row["outcome"] == "wrong", "failed": bool(row["problem"]),
        "unlabelled": not row["label"],
    }.get(outcome, True)  # fmt: skip
    said = " ".join(str(row[name] or "") for name in ("name", "text", "label", "predicted", "problem"))
    wanted = label in (ANY, row["label"]) and predicted in (ANY, row["predicted"])
    return kept and wanted and all(word in said.casefold() for word in find.casefold().split())


def columns(card: Card, kind: str, rows: Sequence[Mapping[str, Any]], method: str = "") -> list[Any]:
    """The grid's columns: those that some row fills. With `method`, that of its strongest words or its map."""
    there = {name for row in rows for name in ("label", "outcome", "problem") if row[name]}
    text = {"field": "text", "headerName": "Text", "tooltipField": "text", "flex": 3, "minWidth": 200}
    picture = {
        "field": "digest", "headerName": "Picture", "cellRenderer": "VitrinePicture", "filter": False,
        "sortable": False, "width": 96,
    }  # fmt: skip
    number = {"filter": "agNumberColumnFilter", "type": "rightAligned"}
    name = {"field": "name", "headerName": "File" if kind == "image" else "Row", "minWidth": 110, "flex": 1}
    found: list[Any] = [
        {"field": "n", "headerName": "#", **number, "width": 70},
        picture if kind == "image" else text,
        name if kind == "image" else None,
        {"field": "label", "headerName": "Label", "width": 118} if "label" in there else None,
        {"field": "predicted", "headerName": "Predicted", "width": 124},
        {"field": "probability", "headerName": "Probability", "cellRenderer": "VitrineShare", **number, "width": 126},
        _outcome() if "outcome" in there else None,
        _strongest(kind, method) if method else None,
        {"field": "problem", "headerName": "Problem", "tooltipField": "problem", "minWidth": 180, "flex": 2}
        if "problem" in there
        else None,
        {
            "field": "doors", "headerName": "Open in", "cellRenderer": "VitrineDoors", "filter": False,
            "sortable": False, "pinned": "right", "width": 82 * len(doors(card)) + 36,
            "cellRendererParams": {"doors": doors(card), "model": card["name"], "method": method},
        },
    ]  # fmt: skip
    return [column for column in found if column]


def _outcome() -> dict[str, Any]:
    return {"field": "outcome", "headerName": "Right?", "cellRenderer": "VitrineOutcome", "width": 104}


def _strongest(kind: str, method: str) -> dict[str, Any]:
    if kind == "text":
        return {"field": "swept", "headerName": "Strongest words", "minWidth": 190, "flex": 1, "tooltipField": "swept"}
    return {
        "field": "swept", "headerName": "Map", "cellRenderer": "VitrineMap", "filter": False, "sortable": False,
        "width": 96,
    }  # fmt: skip


def doors(card: Card) -> list[list[str]]:
    """The pages that can open a row on this model, those of a question that it has methods for: path and title."""
    asked = {
        f"/{method.question}" for method in registry.entries("methods").values() if method.needs <= set(card["offers"])
    }
    return [[page.PATH, page.TITLE] for page in pages_for(card) if page.PATH in asked]


def headline(summary: Mapping[str, Any]) -> list[Any]:
    """How well the model does, in a sentence with its interval."""
    if "accuracy" not in summary:
        return [html.P(f"{counted(summary['rows'] - summary['failed'])} answered; none has a label that the model "
                       "knows, so there is no accuracy.", className="score")]  # fmt: skip
    low, high = summary["interval"]
    said = [
        "Right in ",
        html.B(f"{summary['right']} of {counted(summary['labelled'])}"),
        ": accuracy ",
        html.B(f"{100 * summary['accuracy']:.1f} %"),
        html.Span(f" (95 % interval {100 * low:.1f} to {100 * high:.1f} %, Wilson, n = {summary['labelled']})"),
        ".",
    ]
    parts: list[Any] = [html.P(said, className="score")]
    if summary["uneven"]:
        told = f"The labels are uneven: balanced accuracy, the mean over labels, is {100 * summary['balanced']:.1f} %."
        parts.append(html.P(told))
    return parts


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """What counts in no figure, and why."""
    found = []
    if summary["failed"]:
        found.append(f"{counted(summary['failed'])} could not be answered; the column Problem says why.")
    if summary["unknown_rows"]:
        names = ", ".join(f"“{visible(name, 40)}” ({n})" for name, n in list(summary["unknown"].items())[:5])
        found.append(
            f"{counted(summary['unknown_rows'])} with a label that the model has no class for: {names}; counted as "
            "neither right nor wrong."
        )
    if summary.get("hidden"):
        found.append(
            f"The matrix shows the {len(summary['classes'])} commonest classes; {summary['hidden']} are left out."
        )
    return found


def counted(n: int) -> str:
    """`1 row`, `2 rows`."""
    return f"{n:,} row{'' if n == 1 else 's'}"


def by_class(summary: Mapping[str, Any]) -> Any:
    """Precision and recall of every class, as a table."""
    if not summary.get("by_class"):
        return []
    heads = ("class", "rows", "answered", "right", "recall", "precision")
    body = [
        html.Tr(
            [
                html.Th(visible(c["label"], 60), scope="row"),
                *[html.Td(f"{c[name]:,}") for name in ("rows", "predicted", "right")],
                *[html.Td("–" if c[name] is None else f"{100 * c[name]:.1f} %") for name in ("recall", "precision")],
            ]
        )
        for c in summary["by_class"]
    ]
    head = html.Thead(html.Tr([html.Th(h, scope="col") for h in heads]))
    return dbc.Table([html.Caption("By class"), head, html.Tbody(body)], size="sm", class_name="strongest by-class")


def downloads(key: str) -> html.Div:
    """Links that take the table away."""
    files = (("csv", "CSV"), ("json", "JSON"))
    return html.Div([html.Span("Save as", className="hint"), *[_file(key, *f, "the table") for f in files]],
                    className="exports")  # fmt: skip


def _file(key: str, kind: str, words: str, what: str) -> html.A:
    return html.A(words, href=f"/tables/{key}/{kind}", download="", className="export",
                  **{"aria-label": f"Download {what} as {words}"})  # fmt: skip


def sweep_downloads(key: str) -> list[Any]:
    """A link to everything that a method over the table gave."""
    return [html.Div([html.Span("Every row", className="hint"), _file(key, "zip", "Zip", "every row's values")],
                     className="exports")]  # fmt: skip


def row_panel(card: Card, row: Mapping[str, Any], given: Mapping[str, Any], method: str = "") -> list[Any]:
    """One row whole: its text or picture, its label and answer, and the pages that open it."""
    whole = row["digest"] and row["predicted"] is not None
    shown: Any = html.Img(src=f"/inputs/{row['digest']}", alt=f"Picture of row {row['n']}") if whole else ""
    if "text" in given:
        shown = html.Blockquote(given["text"])
    said: list[Any] = [f"Row {row['n']} ({given['name']}). "]
    said += ["Label: ", html.B(visible(row["label"], 80)), ". "] if row["label"] else []
    if row["predicted"] is not None:
        share = workbench.percent(row["probability"])
        said += ["Answer: ", html.B(visible(row["predicted"], 80)), f" ({share}). "]
    said += [row["problem"]] if row["problem"] else []
    return [shown, html.P(said), html.Div(_links(card, row, given, method), className="doors")]


def _links(card: Card, row: Mapping[str, Any], given: Mapping[str, Any], method: str) -> list[Any]:
    if not row["digest"]:
        return []
    there: PageInput = {"digest": row["digest"]}
    if "text" in given:
        there["text"] = given["text"]
    params = workbench.link_params(card, there, None)
    return [
        dcc.Link(
            f"Open in {title}", href=link(path, **params, **_methods(path, method)), className="btn btn-sm btn-primary"
        )
        for path, title in doors(card)
    ]


def _methods(path: str, method: str) -> dict[str, str]:
    return {"methods": method} if method and path == "/attribution" else {}


def words_table(result: Result, most: int = 40) -> Any:
    """The words with the largest mean attribution, with how often they stand where."""
    places = strongest(result, most)
    heads = ("word", f"mean ({result.unit})", "times", "rows")
    body = [
        html.Tr(
            [
                html.Th(visible(result.labels["word"][i], 60), scope="row"),
                html.Td(f"{result.arrays['mean'][i]:+.4f}".replace("-", "−")),
                *[html.Td(f"{result.arrays[n][i]:,}") for n in ("count", "rows")],
            ]
        )
        for i in places
    ]
    head = html.Thead(html.Tr([html.Th(h, scope="col") for h in heads]))
    return dbc.Table([head, html.Tbody(body)], size="sm", class_name="strongest")


def swept(result: Result) -> dict[str, str]:
    """What a method found in each row, by the row's place from 0: its strongest words, or the key of its map."""
    tops = result.facts["tops"]
    if not tops:
        return dict(result.facts["keys"])
    return {i: ", ".join(f"{word} {_signed(value)}" for word, value in best) for i, best in tops.items()}


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
