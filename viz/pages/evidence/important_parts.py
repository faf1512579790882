"""Which words or squares matter at all, and which few of them decide: shown on the input itself, in plain words."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import Dash, Input, Output, State, dcc, html, no_update

from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import ImportantParts
from backends.results import Result
from viz import theme
from viz.components import heat_canvas, links, receipt, workbench
from viz.components.alerts import alert
from viz.components.exports import exports
from viz.components.job_panel import Answers, JobPanel, Requests, result
from viz.components.labelled_select import labelled_select
from viz.figures import part_effects
from viz.figures.image_heat import png
from viz.figures.scale import Scale, limits
from viz.figures.words import percent, visible
from viz.pages.evidence import receipt_options
from viz.pages.evidence.panel import Panel, ask_while_open
from viz.pages.evidence.receipt_options import PAGE, part

PARTS = JobPanel(PAGE, "parts", "Hiding the parts in turn", tell=False)
RATES = {"0.01": "1 in 100", "0.05": "5 in 100", "0.1": "10 in 100", "0.2": "20 in 100"}
"""The false discovery rates offered."""
LEASTS = {"0": "any effect", "0.02": "2 %", "0.05": "5 %", "0.1": "10 %", "0.2": "20 %"}
"""The least effects offered, as shares of what hiding everything changes."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
OF_BOTH = " of the two"
STRONGEST = 0.75
"""The opacity of the strongest square."""
READING = (
    "Half of the parts are hidden at random, again and again: so each part's own share of the answer is measured, with "
    "its uncertainty. No method's map is used here."
)


def parts(link: Mapping[str, Any]) -> list[Any]:
    """The pickers and places, as the link left them."""
    rates = [{"label": words, "value": name} for name, words in RATES.items()]
    leasts = [{"label": words, "value": name} for name, words in LEASTS.items()]
    return [
        html.P(READING, className="reading"),
        html.Div(
            [
                labelled_select(
                    part("rate"), "False finds allowed (q)", rates, links.choice(link, "q", tuple(RATES), "0.1")
                ),
                labelled_select(
                    part("least"),
                    "Least effect that counts",
                    leasts,
                    links.choice(link, "least", tuple(LEASTS), "0.05"),
                ),
                html.Div(
                    "q: of the parts that are called important, this share may be so by luck. The least effect is a "
                    "share of the most that hiding changed.",
                    className="hint",
                ),
            ],
            className="view-row",
        ),
        PARTS.parts(),
        html.Div(id=part("parts-said"), role="status"),
        html.Div(id=part("parts-sets")),
        html.Div(id=part("parts-shown")),
        html.Figure(
            dcc.Graph(id=part("effects"), config=theme.config("parts"), responsive=True),
            id=part("effects-area"),
            className="d-none",
            **{"aria-label": "The effects with their intervals; the same numbers are in the table below"},
        ),
        html.Div(id=part("parts-table")),
    ]


def show(app: Dash, engine: Engine, bench: workbench.Workbench) -> None:
    """Connect the trial with sentences, picture, figure and table."""

    @app.callback(
        Output(part("parts-said"), "children"),
        Output(part("parts-sets"), "children"),
        Output(part("parts-shown"), "children"),
        Output(part("parts-table"), "children"),
        Input(PARTS.answers, "data"),
        State(PARTS.requests, "data"),
        State(bench.card, "data"),
        State(bench.input, "data"),
        prevent_initial_call=True,
    )
    def say(answers: Answers | None, asked: Requests | None, card: Card | None, given: Any) -> tuple[Any, ...]:
        found, key, why = result(engine, answers, "parts")
        if found is None:
            return receipt_options.unanswered(why, asked, card, given), [], [], []
        return said(found), sets(found, key), shown(found, key), ending(found, key)

    @app.callback(
        Output(part("effects"), "figure"),
        Output(part("effects"), "style"),
        Output(part("effects-area"), "className"),
        Input(PARTS.answers, "data"),
        Input(part("dark"), "data"),
        prevent_initial_call=True,
    )
    def draw(answers: Answers | None, dark: bool | None) -> tuple[Any, ...]:
        found = result(engine, answers, "parts").value
        if found is None:
            return no_update, no_update, "d-none"
        figure = part_effects.draw(found, dark=bool(dark))
        return figure, {"height": f"{figure.layout.height}px"}, "figure-box"


def requests(card: Any, given: Any, aim: Any, options: Mapping[str, Any], rate: Any, least: Any) -> dict[str, Any]:
    """The job of the trial; none while something is missing."""
    if not receipt_options.ready(card, given):
        return {}
    asked = ImportantParts(
        model=card["name"], revision=card["revision"], input=given["digest"], target=aim,
        replacement=options["replacement"], effort=options["effort"], rate=float(rate if rate in RATES else "0.1"),
        least=float(least if least in LEASTS else "0.05"), seed=0,
    )  # fmt: skip
    return {"parts": asked.plain()}


# In words


def noun(result: Result, count: int) -> str:
    """Words or squares, as many as there are; of a long text, stretches of words."""
    if "span" not in result.arrays:
        return "square" if count == 1 else "squares"
    if any(len(name.split()) > 1 for name in result.labels["part"]):
        return "stretch" if count == 1 else "stretches"
    return "word" if count == 1 else "words"


def counted(result: Result, count: int) -> str:
    """`two words`."""
    return f"{NUMBERS[count] if count < len(NUMBERS) else count} {noun(result, count)}"


def quoted(result: Result, names: Sequence[str]) -> str:
    """The words that a set holds; squares are outlined, so they need no name."""
    if "box" in result.arrays:
        return ""
    each = [f"“{visible(name, 40)}”" for name in names]
    return each[0] if len(each) == 1 else f"{', '.join(each[:-1])} and {each[-1]}"


def said(result: Result) -> list[Any]:
    """How many parts speak for the answer and how many against it, and what it took."""
    found, effect, facts = result.arrays["found"] > 0, result.arrays["effect"], result.facts
    stand_in, pictured = receipt.WORDS.get(facts["replacement"], facts["replacement"]), "box" in result.arrays
    against = int((found & (effect < 0)).sum())
    doubt = " What stands in for a square can raise the score by itself." if pictured and against else ""
    return [
        html.P(
            [
                html.B(mattering(result, int((found & (effect > 0)).sum()), against)),
                f": hiding {'it' if found.sum() == 1 else 'each'} moves the score by more than "
                f"{_value(facts['least'])} ({result.unit}), and of all that are called so at most "
                f"{100 * facts['rate']:g} in 100 may be so by luck."
                if found.any()
                else f": none was found to move the score by more than {_value(facts['least'])} ({result.unit}).",
            ],
            className="score",
        ),
        html.P(
            f"What was hidden became {stand_in}.{doubt} {facts['trials']} trials that hid random halves; "
            f"{facts['forwards']} new runs of the model in {facts['seconds']:.1f} s; what was asked before is kept.",
            className="hint",
        ),
    ]


def mattering(result: Result, speaking: int, against: int) -> str:
    """`Two squares of 64 speak for “lesion”, one against it`."""
    many, target = len(result.arrays["found"]), visible(result.target, 60)
    if not speaking and not against:
        return f"No {noun(result, 1)} of {many} matters to “{target}” by itself"
    count = speaking or against
    way = "for" if speaking else "against"
    words = f"{counted(result, count).capitalize()} of {many} {'speaks' if count == 1 else 'speak'} {way} “{target}”"
    if speaking and against:
        words += f", {NUMBERS[against] if against < len(NUMBERS) else against} against it"
    return words


def flip_sentence(result: Result) -> list[Any]:
    """Hide these, and the answer becomes another."""
    about = result.facts["flips"]
    count, names = len(about["parts"]), quoted(result, about["names"])
    before = result.facts.get("probability")
    if not about["flips"]:
        what = (
            f"the {counted(result, count)} that move it most"
            if count > 1
            else f"the {noun(result, 1)} that moves it most"
        )
        still = f"“{first(result)}” stays ahead" if paired(result) else f"the model still answers “{first(result)}”"
        return [
            html.B("Nothing small was found that turns this answer. "),
            f"Even with {what} hidden{f' ({names})' if names else ''} {still} ({percent(about['probability'])}"
            f"{OF_BOTH if paired(result) else ''}).",
        ]
    these = f"this {noun(result, 1)}" if count == 1 else f"these {counted(result, count)}"
    falls = f"; “{first(result)}” falls from {percent(before)} to {percent(about['probability'])}" if before else ""
    other = html.Mark(f"“{visible(about['other'], 60)}”")
    becomes = (
        [" and ", other, f" is ahead of “{first(result)}”"] if paired(result) else [" and the answer becomes ", other]
    )
    return [
        html.B([f"Hide {these}", f", {names}," if names else "", *becomes]),
        f" ({percent(about['other_probability'])}{falls}{OF_BOTH if paired(result) else ''}).",
    ]


def suffice_sentence(result: Result) -> list[Any]:
    """These alone keep the answer."""
    if "empty" in result.facts:
        still = f"“{first(result)}” is ahead" if paired(result) else f"the model answers “{first(result)}”"
        return [
            html.B("This answer needs no part. "),
            f"Even with everything hidden {still} ({percent(result.facts['empty']['probability'])}"
            f"{OF_BOTH if paired(result) else ''}), so that no few {noun(result, 2)} can be said to bring it about.",
        ]
    about = result.facts["suffices"]
    count, names = len(about["parts"]), quoted(result, about["names"])
    if not about["flips"]:
        return [
            html.B(f"No few {noun(result, 2)} were found that alone keep this answer. "),
            f"With all but the {counted(result, count)} that speak for it most hidden, “{first(result)}” has "
            f"{percent(about['probability'])}.",
        ]
    these = f"This {noun(result, 1)} alone" if count == 1 else f"These {counted(result, count)} alone"
    keep = "keeps" if count == 1 else "keep"
    still = f"“{first(result)}” stays ahead" if paired(result) else f"the model still says “{first(result)}”"
    return [
        html.B([these, f", {names}," if names else "", f" {keep} the answer"]),
        f": with everything else hidden {still} ({percent(about['probability'])}{OF_BOTH if paired(result) else ''}).",
    ]


def paired(result: Result) -> bool:
    """Whether one answer is compared with another, so that a third may be the model's own."""
    return isinstance(result.request.get("target"), list)


def first(result: Result) -> str:
    """The answer that is explained; of a pair its first side."""
    return visible(result.request["target"][0] if paired(result) else result.target, 60)


def sets(result: Result, key: str) -> list[Any]:
    """Both minimal sets, each as a sentence and on the input."""
    if "no_sets" in result.facts:
        return [html.H2("Which few decide?"), alert(result.facts["no_sets"])]
    cards = [_set_card(result, key, flip_sentence(result), "flips")]
    cards.append(_set_card(result, key, suffice_sentence(result), "suffices"))
    hint = (
        "Found by adding the strongest first, then putting back whatever can be spared, each verified by asking the "
        "model. Each was tried alone, and the strongest six in pairs; another set may be as small."
    )
    return [html.H2("Which few decide?"), html.Div(cards, className="deciding-sets"), html.P(hint, className="hint")]


def _set_card(result: Result, key: str, sentence: list[Any], name: str) -> html.Div:
    about = result.facts.get(name)
    picture: Any = []
    if about:
        picture = (
            _set_pictures(result, key, name) if "box" in result.arrays else _set_text(result, about["parts"], name)
        )
    return html.Div([html.P(sentence, className="deciding-said"), picture], className="deciding-set")


def _set_text(result: Result, chosen: Sequence[int], name: str) -> html.Div:
    """The text with the set struck out, or with all else faded."""
    text, spans, pieces, at = result.facts["text"], result.arrays["span"].tolist(), [], 0
    for i, (start, end) in enumerate(spans):
        kind = ("struck" if i in chosen else "") if name == "flips" else ("kept" if i in chosen else "faded")
        pieces += [text[at:start], _marked(text[start:end], kind)]
        at = end
    label = "The text with the words struck out" if name == "flips" else "The text with all other words faded"
    return html.Div([*pieces, text[at:]], className="deciding-text", role="group", **{"aria-label": label})


def _marked(word: str, kind: str) -> Any:
    if kind == "struck":
        return html.Del(word)
    return html.Span(word, className=kind) if kind else word


def _set_pictures(result: Result, key: str, name: str) -> html.Div:
    """The picture with the set outlined and, where hiding it turns the answer, what the model saw then."""
    about = result.facts[name]
    outlined: list[tuple[int, dict[str, str], str]] = [(i, {}, "outlined") for i in about["parts"]]
    words = "outlined: what is hidden" if name == "flips" else "outlined: what is left"
    first_one = _figure(squares(result, heat_canvas.image_url(key), outlined, "The picture, its set outlined"), words)
    if name != "flips" or "without" not in result.arrays:
        return html.Div(first_one, className="deciding-pictures")
    source = f"data:image/png;base64,{base64.b64encode(png(result.arrays['without'])).decode()}"
    then = f"what the model saw then: “{visible(about['other'], 40)}”"
    return html.Div(
        [first_one, _figure(squares(result, source, [], "The picture with the set hidden"), then)],
        className="deciding-pictures",
    )


def _figure(picture: Any, words: str) -> html.Figure:
    return html.Figure([picture, html.Figcaption(words)])


# As a picture


def shown(result: Result, key: str) -> list[Any]:
    """What each part is worth, on the input: words coloured, or squares laid over the picture."""
    scale = limits(np.asarray(result.arrays["effect"], np.float32), True)
    picture = coloured(result, scale) if "span" in result.arrays else _worth(result, key, scale)
    outlined = "underlined" if "span" in result.arrays else "outlined"
    return [
        html.H2(f"What each {noun(result, 1)} is worth"),
        html.Div([picture], className="deciding-worth"),
        _legend(scale, result, outlined),
    ]


def _colours(result: Result, scale: Scale) -> list[str]:
    values = np.asarray(result.arrays["effect"], np.float32)
    return theme.value_colours(values, *scale, theme.colour_map(True))


def coloured(result: Result, scale: Scale) -> html.Div:
    """The text, its words coloured by their effects, those that matter underlined; intervals on hover."""
    text, pieces, at = result.facts["text"], [], 0
    for i, ((start, end), colour) in enumerate(
        zip(result.arrays["span"].tolist(), _colours(result, scale), strict=True)
    ):
        found = " truth" if result.arrays["found"][i] else ""
        style = {"backgroundColor": colour, "color": theme.ink(colour)}
        pieces.append(html.Span(text[at:start], className="gap"))
        pieces.append(html.Span(text[start:end], className=f"tok{found}", style=style, **{"data-tip": tip(result, i)}))
        at = end
    pieces.append(html.Span(text[at:], className="gap"))
    label = "The text, coloured by what each word is worth; the numbers are in the table below"
    return html.Div(
        pieces, id=part("parts-coloured"), className="coloured-text", tabIndex=0, role="group",
        **{"aria-label": label, "data-title": f"What each word is worth to {result.target}"},
    )  # fmt: skip


def _worth(result: Result, key: str, scale: Scale) -> html.Div:
    most = max(abs(scale[0]), abs(scale[1]))
    cells: list[tuple[int, dict[str, str], str]] = []
    for i, colour in enumerate(_colours(result, scale)):
        red, green, blue = theme.rgb(colour)
        share = STRONGEST * min(abs(float(result.arrays["effect"][i])) / most, 1.0) ** 0.6
        style = {"background": f"rgba({red},{green},{blue},{share:.3f})"}
        cells.append((i, style, "outlined" if result.arrays["found"][i] else ""))
    return squares(result, heat_canvas.image_url(key), cells, "The picture, each square coloured by what it is worth")


def squares(result: Result, source: str, cells: Sequence[tuple[int, Mapping[str, str], str]], label: str) -> html.Div:
    """A picture with some of its squares laid over it: (number, style, class) each."""
    laid = []
    for i, style, name in cells:
        left, top, right, bottom = (100 * float(edge) for edge in result.arrays["box"][i])
        place = {
            "left": f"{left:.3f}%", "top": f"{top:.3f}%", "width": f"{right - left:.3f}%",
            "height": f"{bottom - top:.3f}%",
        }  # fmt: skip
        told = f"{result.labels['part'][i]}: {tip(result, i)}"
        laid.append(html.Div(className=f"square {name}".strip(), style={**place, **style}, title=told))
    return html.Div([html.Img(src=source, alt=label), *laid], className="squares")


def tip(result: Result, i: int) -> str:
    """A part's effect with its interval."""
    low, high = (_value(float(result.arrays[name][i])) for name in ("low", "high"))
    matters = "matters" if result.arrays["found"][i] else "not found to matter"
    return f"{_value(float(result.arrays['effect'][i]), True)} ({low} to {high}), {matters}"


def _value(value: float, signed: bool = False) -> str:
    text = f"{value:+.2f}" if signed else f"{value:.2f}"
    return text.replace("-", "−")


def _legend(scale: Scale, result: Result, outlined: str) -> html.Div:
    colours = theme.table(theme.colour_map(True))
    stops = ", ".join(theme.css(colours[i]) for i in range(0, 256, 15))
    words = f"red: hiding it lowers “{first(result)}”; blue: hiding it raises it; {outlined}: it matters"
    return html.Div(
        [
            html.Span(_value(scale[0], True), className="legend-end"),
            html.Span(className="legend-bar", style={"background": f"linear-gradient(90deg, {stops})"}),
            html.Span(_value(scale[1], True), className="legend-end"),
            html.Span(result.unit or "no unit", className="legend-unit"),
            html.Span(words, className="legend-words"),
        ],
        className="legend",
    )


# As a table


def ending(result: Result, key: str) -> list[Any]:
    """The numbers of every part, and where to take them."""
    return [
        exports(key, part("effects"), "these effects", link=False),
        html.Details([html.Summary("All numbers"), html.Div(table(result), className="table-scroll parts-scroll")]),
    ]


def table(result: Result) -> html.Table:
    """Every part with effect, interval, p value and whether it matters; those that do in front."""
    arrays = result.arrays
    order = np.lexsort((-np.abs(arrays["effect"]), ~np.asarray(arrays["found"], bool))).tolist()
    heads = (noun(result, 1), f"the score falls by ({result.unit})", "95 % interval", "p", "matters?")
    rows = [
        html.Tr(
            [
                html.Th(visible(result.labels["part"][i], 60), scope="row"),
                html.Td(_value(float(arrays["effect"][i]), True)),
                html.Td(f"{_value(float(arrays['low'][i]))} to {_value(float(arrays['high'][i]))}"),
                html.Td("< 0.001" if arrays["p"][i] < 0.001 else f"{arrays['p'][i]:.3f}"),
                html.Td("✓ yes" if arrays["found"][i] else "not found to"),
            ]
        )
        for i in order
    ]
    head = html.Thead(html.Tr([html.Th(h, scope="col") for h in heads]))
    caption = html.Caption(f"What each {noun(result, 1)} is worth", className="visually-hidden")
    return html.Table([caption, head, html.Tbody(rows)], className="table table-sm strongest")


def link_of(rate: Any, least: Any) -> dict[str, str]:
    """What the link carries: only what differs from the usual."""
    return {"q": rate if rate != "0.1" else "", "least": least if least != "0.05" else ""}


def unknown(link: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that the link asks for and that there is not."""
    return [*links.unknown(link, "q", RATES, "0.1"), *links.unknown(link, "least", LEASTS, "0.05")]


PANEL = Panel(
    tab="parts",
    title="Which parts matter at all",
    job=PARTS,
    parts=parts,
    ask=ask_while_open("parts", PARTS, requests, ("rate", "least")),
    show=show,
    link=lambda card, given, view: link_of(view["rate"], view["least"]),
    values=("rate", "least"),
    unknown=unknown,
)
