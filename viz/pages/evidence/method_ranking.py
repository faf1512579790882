"""Every method on one input as a wall of maps, ranked by receipt; their curves, agreement, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.evidence.ranking import find_deciding_line, rank_methods
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import CompareMethods, MethodReceipt
from backends.results import Result, regroup
from viz import theme
from viz.components import attribution_summary, heat_canvas, inputs, links, offers, receipt, workbench
from viz.components.alerts import alert
from viz.components.graph import picture
from viz.components.inputs import PageInput
from viz.components.job_panel import (
    CANCELLED,
    Answers,
    JobPanel,
    Requests,
    answer_keys,
    document,
    documents,
    in_words,
    reasons,
)
from viz.components.side_by_side import headline
from viz.components.workbench import Target
from viz.figures import deletion_curves, method_agreement
from viz.figures.scale import limits
from viz.figures.token_strip import token_colours
from viz.pages.evidence import receipt_options, region
from viz.pages.evidence.panel import Panel, ask_while_open
from viz.pages.evidence.receipt_options import PAGE, part

QUESTION = "attribution"
AUDITS = JobPanel(PAGE, "audits", "Testing every method", tell=False)
TOGETHER = JobPanel(PAGE, "together", quiet=True)
FIRST = 4
"""Methods whose curves are shown when nobody chose."""
LOCATED = {"mass inside": "mass inside", "intersection over union": "overlap", "rank accuracy": "brightest inside"}
"""What the numbers of a map against a region are called."""
READING = (
    "Every method that this model can have is asked the same question about the same input, and every map takes the "
    "same test: does what it shows matter to the answer more than what it does not? The best stand first. Point at a "
    "map for its details, its curve and its agreement with the others; a click opens its whole receipt."
)
SCALES = (
    "Red speaks for the answer and blue against it; where a method says only how much, yellow is most and violet is "
    "least. Maps are shown as the test reads them, a little blurred, each on its own scale, since methods measure in "
    "different units: compare where, not how much. The brightest part of a map is what it says speaks most for the "
    "answer."
)


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The places of the wall, the region, the curves and the agreement, as the link left them."""
    wanted = links.values(link, "curves", 20)
    return [
        html.P(READING, className="reading"),
        AUDITS.parts(),
        TOGETHER.parts(),
        html.Div(id=part("said"), role="status"),
        *region.parts(link),
        html.Div(
            [
                html.Div(id=part("table")),
                html.Div(id=part("pane"), className="audit-pane", role="status"),
            ],
            className="audit-place",
        ),
        html.Div(id=part("table-end")),
        html.Details(
            [html.Summary(id=part("withheld-count")), html.Div(id=part("withheld"))],
            id=part("withheld-box"),
            className="d-none",
        ),
        _curves(wanted),
        html.Div(
            [
                html.H2("Do the methods agree?"),
                html.P(
                    "Two methods that rank the same places first are near 1. Methods that agree may still be wrong "
                    "together; methods that do not cannot all be right.",
                    className="reading",
                ),
                html.Div(id=part("agreement-shown")),
            ],
            id=part("agreement-area"),
            className="d-none",
        ),
    ]  # fmt: skip


def _curves(wanted: Sequence[str]) -> html.Div:
    """The place of the curves, with those of the methods `wanted` ticked."""
    return html.Div(
        [
            html.H2("Does the answer follow the map?"),
            html.P(
                "If a map is right, hiding its brightest places first makes the answer fall fast (left), and "
                "showing only them brings it back fast (right). A curve within the band does no better than a "
                "random order. No verdict rests on these curves: far along them so much is hidden at once that "
                "little of the input is left.",
                className="reading",
            ),
            html.Fieldset(
                [
                    html.Legend("Curves of", className="form-label"),
                    dbc.Checklist(
                        id=part("curve-methods"), options=[{"label": m, "value": m} for m in wanted], value=wanted,
                        inline=True, class_name="method-list",
                    ),
                ]
            ),
            html.Figure(dcc.Graph(id=part("curves"), config=theme.config("curves"), responsive=True,
                                  style={"height": f"{deletion_curves.HEIGHT}px"}),
                        className="figure-box",
                        **{"aria-label": "Deletion and insertion curves; their areas are in the table below"}),
            html.Details([html.Summary("The areas as a table"), html.Div(id=part("areas"))]),
        ],
        id=part("curves-area"),
        className="d-none",
    )  # fmt: skip


def ask(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Ask for every method's test, and once all that can be are there, for their comparison."""
    ask_while_open("methods", AUDITS, requests)(app, engine, bench)
    TOGETHER.register(app, engine)
    region.register(app, engine, bench)
    after = [Input(AUDITS.answers, "data"), Input(part("region-of"), "data")]
    beside = [State(AUDITS.requests, "data"), State(bench.card, "data")]
    TOGETHER.ask(app, [*after, *beside], together_request)


def show(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Connect the answers with the table and the figures."""
    _register_picture(app, engine, bench)
    _register_table(app, engine, bench)
    _register_figures(app, engine)


def _register_picture(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    @app.callback(
        Output(part("region-image"), "children"),
        Input(AUDITS.answers, "data"),
        State(bench.card, "data"),
        State(part("region-image"), "children"),
        prevent_initial_call=True,
    )
    def seen(answers: Answers | None, card: Card | None, before: Any) -> Any:
        found, _ = read(engine, answers)
        if not card or "pixels" not in card["offers"] or (found and before):
            return no_update
        return seen_picture(found)


def seen_picture(found: Mapping[str, Any]) -> Any:
    """The picture as the network saw it, beneath the rectangle that is drawn; the same for every method."""
    if not found:
        return []
    key = next(iter(found.values()))["map"]
    return html.Img(src=heat_canvas.image_url(key), alt="The picture, as the model sees it", draggable="false")


def requests(card: Any, given: Any, aim: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The jobs that test every method the model can have, those that take least in front."""
    if not receipt_options.ready(card, given):
        return {}
    there = sorted(offers.offered(card, QUESTION), key=lambda name: registry.method(name).usual_runs())
    runs = {method: workbench.run_request(card, given, method, {}, aim) for method in there}
    return {m: MethodReceipt.of_run(r, receipt_options.of_run(r, options, aim)).plain() for m, r in runs.items()}


def together_request(answers: Any, region: Any, asked: Any, card: Any) -> dict[str, Any]:
    """The job that compares the maps, once all that can be are there."""
    keys, why = answer_keys(answers), reasons(answers)
    if not card or not keys or len(keys) + len(why) < len(asked or {}):
        return {}
    asked = CompareMethods(model=card["name"], revision=card["revision"], audits=dict(keys), region=region)
    return {"together": asked.plain()}


def _register_table(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    @app.callback(
        Output(part("said"), "children"),
        Output(part("table"), "children"),
        Output(part("table-end"), "children"),
        Output(part("withheld"), "children"),
        Output(part("withheld-count"), "children"),
        Output(part("withheld-box"), "className"),
        Input(AUDITS.answers, "data"),
        Input(TOGETHER.answers, "data"),
        Input(bench.predicting.answers, "data"),
        State(AUDITS.requests, "data"),
        State(bench.card, "data"),
        State(bench.input, "data"),
        State(bench.aim, "data"),
        prevent_initial_call=True,
    )
    def show(
        answers: Answers | None,
        together: Answers | None,
        beside: Any,
        asked: Requests | None,
        card: Card | None,
        given: PageInput | None,
        aim: Target,
    ) -> Any:
        if not card or not given or not asked:
            return receipt_options.guided(card, given), [], [], [], "", "d-none"
        found, why = read(engine, answers)
        comparison, key, lost = document(engine, together, "together")
        told = set(reasons(beside).values())
        said = summary(engine, found, why, asked, card, told)
        body = wall(engine, found, comparison or {}, asked, card, given, aim)
        return said, body, ending(found, comparison, key, lost), *withheld(card, found, why)


def read(engine: Engine, answers: Any) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The audits that are there, by method, and a sentence for each method that has none."""
    there, why = documents(engine, answers)
    why |= {method: audit["withdrawn"] for method, audit in there.items() if audit["withdrawn"]}
    return {method: audit for method, audit in there.items() if not audit["withdrawn"]}, why


def summary(
    engine: Engine, found: Mapping[str, Any], why: Mapping[str, str], asked: Mapping[str, Any], card: Card,
    told: set[str],
) -> list[Any]:  # fmt: skip
    """What the model answers, and how many maps hold; a sentence that all methods share is told once."""
    shared = set(why.values())
    if not found and len(why) == len(asked) and why:
        sentence = max(shared, key=list(why.values()).count)
        return [] if sentence in told else [alert(in_words(sentence))]
    if not found:
        return []
    counts = {name: sum(a["receipt"]["verdict"] == name for a in found.values()) for name in receipt.MARKS}
    said = [
        html.B(f"{counts['holds']} of {len(found)} maps hold"),
        f", {counts['cannot tell']} cannot be told, {counts['fails']} fail"
        + (f"; {len(asked) - len(found) - len(why)} still to come." if len(found) + len(why) < len(asked) else "."),
    ]
    stopped = CANCELLED in shared
    return [
        html.Div(_headline(engine, found, card), className="headline"),
        html.P(said, className="score"),
        html.P(f"{in_words(CANCELLED)} {untested(why)}", className="hint") if stopped else "",
    ]


def untested(why: Mapping[str, str]) -> str:
    """How many methods were stopped before they were tested."""
    count = sum(sentence == CANCELLED for sentence in why.values())
    return f"{count} {'method was' if count == 1 else 'methods were'} not tested; change anything to test them."


def _headline(engine: Engine, found: Mapping[str, Any], card: Card) -> list[Any]:
    method, audit = next(iter(found.items()))
    try:
        return headline({method: engine.store.get_result(audit["map"])}, card)
    except Refused:
        return []


def withheld(card: Card, found: Mapping[str, Any], why: Mapping[str, str]) -> tuple[Any, str, str]:
    """The methods that stand in no row, each with its sentence; how many; and the class of their box."""
    gone = {**offers.withheld(card, QUESTION), **{m: s for m, s in why.items() if s != CANCELLED}}
    rows = [html.Li([html.B(registry.method(m).title), f": {in_words(s)}"]) for m, s in gone.items()]
    return html.Ul(rows), f"{len(rows)} not available for this model and input", "withheld" if rows else "d-none"


# The wall


def wall(
    engine: Engine, found: Mapping[str, Any], comparison: Mapping[str, Any], asked: Mapping[str, Any],
    card: Card, given: PageInput, aim: Any,
) -> Any:  # fmt: skip
    """A tile a method, the best first: its map, name and verdict. `assets/evidence.js` shows the rest once it is
    pointed at."""
    if not found:
        return []
    located, alike = comparison.get("located") or {}, comparison.get("agreement") or {}
    tiles = [
        _tile(rank, method, found[method], located.get(method), alike,
              thumb(engine, method, found[method], card, given), address(card, given, aim, asked[method]))
        for rank, method in enumerate(rank_methods(found), 1)
    ]  # fmt: skip
    kind = "audit-wall of-pictures" if "pixels" in card["offers"] else "audit-wall of-words"
    return html.Ol(tiles, className=kind, **{"aria-label": "All methods, ranked by their receipt"})


def address(card: Card, given: PageInput, aim: Any, request: Mapping[str, Any]) -> str:
    """The link to the method's map on the attribution page, with this receipt."""
    kept = {name: value for name, value in request["receipt"].items() if name not in ("seed", "target")}
    method = request["method"]
    params = workbench.link_params(card, given, aim)
    return links.link("/attribution", **params, methods=method, receipt={method: kept})


def _tile(
    rank: int, method: str, audit: Mapping[str, Any], located: Any, alike: Mapping[str, Any], picture: Any, href: str
) -> html.Li:
    found, line, title = audit["receipt"], find_deciding_line(audit), registry.method(method).title
    more = [
        html.P(receipt.effect(found), className="receipt-effect"),
        "" if line is found["lines"][0] else number(line, audit),  # the effect is that of the first
        html.P(line["sentence"]),
        _open(found),
        *([places(located)] if located else []),
        *nearest(method, alike),
        html.P(f"{found['facts']['forwards']} new runs of the model.", className="hint"),
    ]
    names = list(alike.get("names", ()))
    place = {"data-place": str(names.index(method))} if method in names else {}
    return html.Li(
        [
            html.Div(picture, className="audit-picture"),
            html.Div([html.Span(f"{rank} ", className="audit-rank"), dcc.Link(title, href=href, className="row-link")],
                     className="audit-name"),
            receipt.mark(found["verdict"]),
            html.Div(more, className="audit-more"),
        ],
        className=f"audit-tile audit-{found['verdict'].replace(' ', '-')}",
        **{"data-title": title, **place},
    )  # fmt: skip


def nearest(method: str, alike: Mapping[str, Any]) -> list[Any]:
    """Which other map is most like the method's, and which least; nothing while they were not compared."""
    names = list(alike.get("names", ()))
    if method not in names or len(names) < 3:
        return []
    row = alike["similarity"][names.index(method)]
    others = sorted((value, name) for value, name in zip(row, names, strict=True) if name != method)
    (low, far), (high, near) = others[0], others[-1]
    said = f"Most like {registry.method(near).title} ({receipt.number(high)}), least like "
    return [html.P(f"{said}{registry.method(far).title} ({receipt.number(low)}).", className="hint")]


def _open(found: Mapping[str, Any]) -> Any:
    """Why the map does not hold, where it does not."""
    return "" if found["verdict"] == "holds" else html.P(receipt.ruling(found), className="hint")


def number(line: Mapping[str, Any], audit: Mapping[str, Any]) -> html.Div:
    """The number that decides, with the range of its control."""
    title, what, of = receipt.titled(line)
    said: list[Any] = [html.B(title)]
    if line["value"] is not None:
        said += [f": {what} ", html.Span(receipt.number(line["value"]), className="receipt-number")]
    if line["control"] is not None:
        low, high = map(receipt.number, line["control"])
        said += [html.Span(f" ({of}: {low} to {high})", className="hint")]
    return html.Div(said)


def places(located: Mapping[str, Any]) -> html.Div:
    """Where the map lies, in four numbers against copies of the map."""
    pointing = located["pointing"]["value"]
    points = (
        "points at it" if pointing == 1 else "points elsewhere" if pointing == 0 else f"points at it by {pointing:.0%}"
    )
    said = [html.Span(points, className="located")]
    for name, words in LOCATED.items():
        ends = located[name]["control"]
        reached = f" ({ends[0]:.2f}–{ends[1]:.2f})" if ends else " (this map is flat)"
        said.append(
            html.Span(
                [f"{words} ", html.B(f"{located[name]['value']:.2f}"), html.Span(reached)],
                className="located" + (" located-chance" if located[name]["p"] > method_agreement.CHANCE else ""),
                title="in brackets: what copies of this map reach",
            )
        )
    return html.Div([html.Span("Compared:", className="hint"), *said], className="audit-places")


def thumb(engine: Engine, method: str, audit: Mapping[str, Any], card: Card, given: Any) -> Any:
    """The map as a small picture, or as coloured words."""
    title = registry.method(method).title
    if "pixels" in card["offers"]:
        return html.Img(src=f"/audits/{audit['map']}/map", alt=f"Map of {title}", className="audit-map")
    try:
        result = regroup(engine.store.get_result(audit["map"]), "word")
    except Refused:
        return html.Span("its map is no longer kept", className="hint")
    return words(
        result, f"The text, coloured by {title}", attribution_summary.truth_spans(inputs.example_of(card, given or {}))
    )


def words(result: Result, label: str, truth: Sequence[tuple[int, int, str]] = ()) -> html.Div:
    """A text's map in small: its words coloured, the known truth underlined, special tokens left out."""
    text, pieces, at = result.facts.get("text") or "", [], 0
    span, values = result.arrays.get("span"), result.arrays["attribution"]
    ends = limits(values if span is None else values[span[:, 1] > span[:, 0]], result.signed)
    for piece in token_colours(result, ends):
        covers = piece.text if text.startswith(piece.text, at) else ""
        true = any(covers and a < at + len(covers) and at < b for a, b, _ in truth)
        at += len(covers)
        if piece.value is None:
            pieces.append(html.Span(piece.text, className="gap truth" if true else "gap"))
        elif covers:
            style = {"backgroundColor": piece.colour, "color": theme.ink(piece.colour)}
            pieces.append(html.Span(piece.text, className="tok truth" if true else "tok", style=style))
    return html.Div(pieces, className="coloured-text small", role="img", **{"aria-label": label})


def ending(found: Mapping[str, Any], comparison: Mapping[str, Any] | None, key: str, lost: str = "") -> list[Any]:
    """What the colours mean, what could not be compared, and the table to take away."""
    if not found:
        return []
    problem = (comparison or {}).get("problem", "") or ("" if lost == CANCELLED else lost)
    runs = "The first method tested pays for the trials with hidden parts; the others use the same ones."
    return [
        html.P(f"{SCALES} {runs}", className="hint mt-2"),
        alert(problem) if problem else "",
        receipt_options.downloads(key, "all methods' receipts") if key else "",
    ]


# The figures


def _register_figures(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(part("curve-methods"), "options"),
        Output(part("curve-methods"), "value"),
        Input(AUDITS.answers, "data"),
        State(AUDITS.requests, "data"),
        State(part("curve-methods"), "value"),
        prevent_initial_call=True,
    )
    def offer(answers: Answers | None, asked: Requests | None, chosen: list[Any] | None) -> Any:
        found, why = read(engine, answers)
        if not found or len(found) + len(why) < len(asked or {}):
            return no_update, no_update
        there = [{"label": registry.method(m).title, "value": m} for m in asked or {} if m in found]
        return there, [m for m in chosen or [] if m in found] or rank_methods(found)[:FIRST]

    @app.callback(
        Output(part("curves"), "figure"),
        Output(part("curves-area"), "className"),
        Output(part("areas"), "children"),
        Input(AUDITS.answers, "data"),
        Input(part("curve-methods"), "value"),
        Input(part("dark"), "data"),
        State(AUDITS.requests, "data"),
        prevent_initial_call=True,
    )
    def follow(answers: Answers | None, chosen: list[Any] | None, dark: bool | None, asked: Requests | None) -> Any:
        found, _ = read(engine, answers)
        if not found:
            return no_update, "d-none", []
        return curves(found, asked or {}, chosen or [], bool(dark)), "", areas(found)

    @app.callback(
        Output(part("agreement-shown"), "children"),
        Output(part("agreement-area"), "className"),
        Input(TOGETHER.answers, "data"),
        Input(part("dark"), "data"),
        prevent_initial_call=True,
    )
    def agree(answers: Answers | None, dark: bool | None) -> Any:
        alike = (document(engine, answers, "together").value or {}).get("agreement")
        if not alike:
            return no_update, "d-none"
        titles = [registry.method(m).title for m in alike["names"]]
        figure = method_agreement.matrix(titles, alike["similarity"], alike["p"], bool(dark))
        return picture(part("agreement"), figure, "How far the methods agree", "agreement"), ""

    app.clientside_callback(
        ClientsideFunction("evidence", "opened"), Output(part("opened"), "data"), Input(part("tab"), "data")
    )


def curves(found: Mapping[str, Any], asked: Mapping[str, Any], chosen: Sequence[str], dark: bool) -> Any:
    """The figure of the curves; a method keeps its colour, which follows from its place among those asked.

    Those that are not chosen are in it too, unseen: pointing at a tile shows them.
    """
    names = [m for m in asked if m in found]
    first = found[names[0]]
    drawn = {registry.method(m).title: found[m]["curves"] for m in names}
    shown = [registry.method(m).title for m in chosen if m in found]
    return deletion_curves.both(drawn, first["orders"], shown, first["target"], first["unit"], dark, hidden=True)


def areas(found: Mapping[str, Any]) -> html.Table:
    """The areas under both curves of every method, and the height of the one over the other."""
    heads = ("method", "deletion (lower is better)", "insertion (higher is better)", "difference")
    rows = [
        html.Tr(
            [
                html.Th(registry.method(method).title, scope="row"),
                *[html.Td(receipt.number(found[method]["curves"][n])) for n in ("deletion", "insertion", "srg")],
            ]
        )
        for method in sorted(found, key=lambda m: -found[m]["curves"]["srg"])
    ]
    head = html.Thead(html.Tr([html.Th(h, scope="col") for h in heads]))
    caption = html.Caption("Mean scores along the curves", className="visually-hidden")
    return html.Table([caption, head, html.Tbody(rows)], className="table table-sm strongest")


def link_of(card: Any, given: Any, view: Mapping[str, Any]) -> dict[str, Any]:
    """What the link carries: the region where it differs from the usual, and whose curves are drawn."""
    box = [view[f"box-{edge}"] for edge in region.EDGES]
    params = region.link_of(card, given, view["region"], box, view["region-words"])
    return {**params, "curves": ",".join(view["curve-methods"] or [])}


PANEL = Panel(
    tab="methods",
    title="All methods",
    job=AUDITS,
    parts=parts,
    ask=ask,
    show=show,
    link=link_of,
    values=("region", "region-words", *[f"box-{edge}" for edge in region.EDGES], "curve-methods"),
)
