"""The receipt beside a map: whether to believe it, in at most five lines, each against its control.

It is computed after the picture is there, behind all other jobs, and says which line decided. What stands in for
hidden parts can be changed, and the test made harder; both live in the link. A map that fails says so on its face.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html

from backends.jobs.engine import Engine
from backends.requests import Receipt
from viz.components import links
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys, documents, if_new, in_words
from viz.figures.words import percent, visible

WORDS = {
    "surroundings": "what is around it", "resample": "what other inputs have there", "blur": "a blur",
    "mean": "the mean", "zero": "zero", "noise": "noise", "mask": "the mask token", "pad": "padding",
}  # fmt: skip
"""What stands in for a hidden part, as a person calls it."""
EFFORTS = (1, 2, 4, 8)
MARKS = {"holds": ("✓", "Holds"), "fails": ("✗", "Fails"), "cannot tell": ("?", "Cannot tell")}
"""Icon and word of each verdict; the colour comes with them, never alone."""
TITLES = {
    "hiding": ("Hide the brightest part", "score falls by", "as much elsewhere"),
    "random parts": ("Hide random parts", "agreement", "99 in 100 copies of the map"),
    "order": ("Hide from the brightest on", "difference", "random orders"),
    "stand-in": ("Another stand-in", "score falls by", "as much elsewhere"),
    "sum": ("Adds up", "off by a share of", "allowed"),
    "weights": ("A network that knows nothing", "likeness", "counts as another map"),
    "without it": ("Draw without the word", "changes by", "parts as large elsewhere"),
    "whole map": ("The whole map", "correlation", "copies of the map"),
    "another word": ("Draw without another word", "changes by", "at most half as much"),
    "another corruption": ("Corrupt otherwise", "correlation", "copies of the grid"),
    "strongest cells": ("Strongest cells", "share found again", "by chance"),
}
"""What each line is called, what its number is, and what the control's range is of."""
WORTH = ("Hide random words", "its bright words are worth", "four in five reshuffled copies")
"""The same of the line that decides of a text: what its bright words are worth beside the most important one."""
EFFECTS = {
    "hiding": "the score {falls} by {value}; as much hidden elsewhere: {low} to {high}",
    "without it": "without the word, its part changes by {value} grey levels; parts as large: {low} to {high}",
    "another corruption": "with another corruption the grid comes out alike by {value}; copies of it: {low} to {high}",
}
"""What the first test of a receipt did, in plain words, with the range of its control."""
DONE = {
    "removed": "Drawn twice more from the same noise (seed {seed}): without the word, and without another;",
    "another corruption": "The sweep was repeated with {samples} other corruptions of the same places;",
}
"""What was done for the receipts that repeat a whole run."""
FACE = "This map failed its test: what it shows as important mattered no more to the model than other places did."
WAITING = "Testing this map …"


class Receipts:
    """The receipts of a page's `count` maps; ids are `<page>-receipt-…`.

    `register` takes the ids of the stores of the runs' answers and requests, and of the chosen methods.
    """

    def __init__(self, page: str, count: int) -> None:
        self.page, self.count = page, count
        self.slot = JobPanel(page, "receipt", quiet=True)
        self.options = f"{page}-receipt-options"

    def id(self, part: str, i: int) -> str:
        """The id of one part of receipt `i`."""
        return f"{self.page}-receipt-{part}-{i}"

    def stores(self, link: Mapping[str, Any]) -> html.Div:
        """The slot and what the link sets, once on the page."""
        return html.Div([self.slot.parts(), dcc.Store(id=self.options, data=linked(link))])

    def face(self, i: int) -> html.Div:
        """The place on the map's face."""
        return html.Div(id=self.id("face", i), role="status")

    def box(self, i: int) -> html.Section:
        """The place of receipt `i`."""
        tools = [
            html.Label("Hidden parts become", htmlFor=self.id("standin", i), className="form-label"),
            dbc.Select(id=self.id("standin", i), options=[], value="", size="sm"),
            html.Button("Test harder", id=self.id("harder", i), type="button", className="export"),
        ]
        return html.Section(
            [
                html.Div(id=self.id("body", i), **{"aria-live": "polite"}),
                html.Div(tools, id=self.id("tools", i), className="d-none"),
            ],
            id=self.id("box", i),
            className="d-none",
            **{"aria-label": "Receipt: should you believe this map?"},
        )

    def register(self, app: Dash, engine: Engine, runs: JobPanel, card: str, chosen: str) -> None:
        """Ask for receipts when maps are there, and show them."""
        self.slot.register(app, engine)
        many = range(self.count)

        @app.callback(
            Output(self.slot.requests, "data"),
            Output(self.options, "data"),
            *[Output(self.id("standin", i), "options") for i in many],
            *[Output(self.id("standin", i), "value") for i in many],
            Input(runs.answers, "data"),
            Input(chosen, "value"),
            *[Input(self.id("standin", i), "value") for i in many],
            *[Input(self.id("harder", i), "n_clicks") for i in many],
            State(runs.requests, "data"),
            State(self.options, "data"),
            State(card, "data"),
            State(self.slot.requests, "data"),
            prevent_initial_call=True,
        )
        def ask(answers: Answers | None, methods: list[Any] | None, *rest: Any) -> Any:
            from dash import ctx

            values, (requests, options, card, before) = rest[: self.count], rest[-4:]
            methods = list(methods or [])[: self.count]
            picked = {m: (values[i], i) for i, m in enumerate(methods)}
            changed = changed_options(options or {}, picked, set(ctx.triggered_prop_ids.values()), self.id)
            there = stand_ins(card)
            wanted = asked(answers, requests, changed, there)
            shown = [[{"label": words, "value": kind} for kind, words in there.items()]] * self.count
            kinds = [standing(changed.get(methods[i], {}) if i < len(methods) else {}, there) for i in many]
            return (
                if_new(wanted, before), if_new(changed, options), *shown, *kinds
            )  # fmt: skip

        parts = ("face", "children"), ("box", "className"), ("body", "children"), ("tools", "className")

        @app.callback(
            *[Output(self.id(name, i), prop) for i in many for name, prop in parts],
            *[Output(self.id("harder", i), "disabled") for i in many],
            Input(self.slot.answers, "data"),
            Input(self.slot.requests, "data"),
            Input(chosen, "value"),
            State(runs.answers, "data"),
            prevent_initial_call=True,
        )
        def show(
            answers: Answers | None, requests: Requests | None, methods: list[Any] | None, runs: Requests | None
        ) -> Any:
            found, why = read(engine, answers, requests)
            rows, hard = [], []
            for i in many:
                method = (methods or [])[i] if i < len(methods or []) else ""
                rows += parts_of(method, requests or {}, found.get(method), why.get(method, ""))
                hard.append(_effort((requests or {}).get(method, {}).get("receipt", {})) >= EFFORTS[-1])
            return *rows, *hard


# What is asked


def request(run: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The job for the receipt of the map that the job `run` makes."""
    return Receipt.of_run(run, options).plain()


def asked(
    answers: Any, requests: Any, options: Mapping[str, Any], there: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The receipts of the maps that are there, by method."""
    done = answer_keys(answers)
    kept = {m: r for m, r in (requests or {}).items() if m in done}
    return {m: request(r, clean(options.get(m, {}), there)) for m, r in kept.items()}


def clean(options: Mapping[str, Any], there: Mapping[str, str]) -> dict[str, Any]:
    """The options of a receipt, always complete, so that one test has one key."""
    return {"replacement": standing(options, there), "effort": _effort(options), "seed": 0}


def standing(options: Mapping[str, Any], there: Mapping[str, str]) -> str:
    """What stands in: what was chosen where there is such a one, else the first."""
    wanted = options.get("replacement")
    return wanted if isinstance(wanted, str) and wanted in there else next(iter(there), "")


def _effort(options: Mapping[str, Any]) -> int:
    wanted = options.get("effort", 1)
    return wanted if type(wanted) is int and wanted in EFFORTS else 1


def stand_ins(card: Any) -> dict[str, str]:
    """What can stand in for hidden parts of the card's inputs, and what it is called; the default first."""
    return {kind: WORDS.get(kind, kind) for kind in (card or {}).get("replacements", ())}


def changed_options(
    options: Mapping[str, Any], picked: Mapping[str, tuple[Any, int]], triggers: set[Any], id: Any
) -> dict[str, Any]:
    """The options by method after what was picked in card i (value, i), or after “test harder” was pressed there."""
    made = {m: dict(o) for m, o in options.items()}
    for method, (value, i) in picked.items():
        mine = made.setdefault(method, {})
        if id("standin", i) in triggers and value:
            mine["replacement"] = value
        if id("harder", i) in triggers:
            mine["effort"] = min(2 * _effort(mine), EFFORTS[-1])
    return {m: o for m, o in made.items() if o}


def linked(link: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a link sets, by method; nonsense is left out."""
    try:
        given = json.loads(links.text(link, "receipt") or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    return {m: {k: o[k] for k in ("replacement", "effort") if k in o} for m, o in given.items() if isinstance(o, dict)}


def link_of(options: Mapping[str, Any], chosen: Sequence[str]) -> dict[str, Any]:
    """What the link carries of the receipts of the `chosen` methods."""
    return {m: options[m] for m in chosen if options.get(m)}


# What is shown


def read(engine: Engine, answers: Any, requests: Any) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The receipts that are there, by method, with their `key`; and a sentence for those that cannot be."""
    there, why = documents(engine, answers)
    keys = answer_keys(answers)
    return {m: {**about, "key": keys[m]} for m, about in there.items() if m in (requests or {})}, why


def parts_of(method: str, requests: Mapping[str, Any], found: Mapping[str, Any] | None, why: str) -> list[Any]:
    """Face, class of the box, body, and class of the tools, of one card."""
    if not method or method not in requests:
        return ["", "d-none", "", "d-none"]
    if found is None:
        told = f"No receipt: {in_words(why)}" if why else WAITING
        return ["", "receipt", html.P(told, className="hint"), "d-none"]
    box = f"receipt receipt-{slug(found['verdict'])}"
    return [face(found), box, body(found, requests[method]), "receipt-tools"]


def face(found: Mapping[str, Any]) -> Any:
    """What is said on the map itself: that it failed."""
    if found["verdict"] != "fails":
        return ""
    return html.P([html.B("✗ Do not rely on this map. "), FACE], className="receipt-face")


def body(found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[Any]:
    """The badge of the receipt, and its own link."""
    return told(found, "Should you believe this map?", [_own_link(found, asked), " · ", _evidence_link(asked)])


def told(found: Mapping[str, Any], question: str, more: Sequence[Any] = ()) -> list[Any]:
    """The badge: the verdict below its question, the effect in plain words, and all lines once somebody asks why."""
    return [
        html.H3([f"{question} ", mark(found["verdict"])], className="receipt-badge"),
        html.P(effect(found), className="receipt-effect"),
        html.Details(
            [
                html.Summary("Why?"),
                html.P(ruling(found), className="receipt-rule"),
                html.Ol([_line(line) for line in found["lines"]], className="receipt-lines"),
                html.P(done(found["facts"]), className="hint"),
            ],
            className="receipt-why",
        ),
        *([html.P(more, className="hint")] if more else []),
    ]


def effect(found: Mapping[str, Any]) -> str:
    """What was done to the input and what became of the answer, with the range of the control; else the rule.

    It is that of the first test that gave a number: what is bright is hidden, a word is left out, an input is corrupted
    otherwise.
    """
    told = (li for li in found["lines"] if li["value"] is not None and li["control"] is not None)
    line = next((li for li in told if math.isfinite(li["value"])), None)
    if line is None:
        return ruling(found)
    value, (low, high) = line["value"], line["control"]
    about = line.get("about") or {}
    words = EFFECTS.get(line["name"])
    title, what, of = titled(line)
    if words is None:
        return f"{title}: {what} {number(value)} ({of}: {number(low)} to {number(high)})."
    turns = value < 0 and line["name"] == "hiding"
    said = words.format(
        falls="rises" if turns else "falls",
        value=number(-value if turns else value),
        low=number(low),
        high=number(high),
    )
    target = visible(found["facts"].get("target") or "the answer", 40)
    if about.get("unit") == "probability":
        whole, left = (percent(about[name]).replace(" ", "\u00a0") for name in ("whole", "left"))
        said = f"“{target}” goes from {whole} to {left}: {said}"
    said = f"Without its brightest part, {said}" if line["name"] == "hiding" else said[:1].upper() + said[1:]
    return f"{said}."


def ruling(found: Mapping[str, Any]) -> str:
    """The rule that decided a receipt, its lines called as they are on it."""
    titles = {line["name"]: titled(line)[0] for line in found["lines"]}
    rule = str(found["rule"])
    for name, title in titles.items():
        rule = rule.replace(f"“{name}”", f"“{title}”")
    return ruled(rule)


def titled(line: Mapping[str, Any]) -> tuple[str, str, str]:
    """What a line is called, what its number is, and what the control's range is of."""
    if line.get("about", {}).get("words"):
        return WORTH
    return TITLES.get(line["name"], (str(line["name"]), "value", "control"))


def ruled(rule: str) -> str:
    """The rule that decided, its lines called as they are on the page."""
    named = {**{name: title for name, (title, *_) in TITLES.items()}, **WORDS}
    for name, words in named.items():
        rule = rule.replace(f"“{name}”", f"“{words}”")
    return rule


def mark(verdict: str) -> html.Span:
    """A verdict as icon, word and colour."""
    icon, word = MARKS.get(verdict, MARKS["cannot tell"])
    return html.Span([html.Span(icon, **{"aria-hidden": "true"}), f" {word}"], className=f"seal seal-{slug(verdict)}")


def slug(verdict: str) -> str:
    """The end of a verdict's class."""
    return verdict if verdict in ("holds", "fails") else "open"


def _line(line: Mapping[str, Any]) -> html.Li:
    title, what, of = titled(line)
    numbers = [html.B(title)]
    if line["value"] is not None:
        numbers += [f": {what} ", html.Span(number(line["value"]), className="receipt-number")]
    if line["control"] is not None:
        low, high = line["control"]
        numbers += [html.Span(f" ({of}: {number(low)} to {number(high)})", className="hint")]
    return html.Li([html.Div([html.Span(numbers), mark(line["verdict"])], className="receipt-head"),
                    html.P(ruled(line["sentence"]))])  # fmt: skip


def number(value: float) -> str:
    """A number in three figures at most, with a true minus."""
    if not math.isfinite(value):
        return "no number"
    text = f"{value:.2f}" if abs(value) >= 0.01 or abs(value) < 0.001 else f"{value:.3f}"
    return text.replace("-", "−")


def done(facts: Mapping[str, Any]) -> list[str]:
    """What was done for it, in one sentence."""
    runs = f"{facts['forwards']} runs of the model in " if facts["forwards"] else ""  # not every sweep counts them
    cost = f"{runs}{facts['seconds']:.1f} s. Kept with the result, its JSON and its HTML."
    if facts["replacement"] in DONE:
        return [f"{DONE[facts['replacement']].format(**facts)} {cost}"]
    stand_in = WORDS.get(facts["replacement"], f"“{facts['replacement']}”")
    harder = f", {facts['effort']} times the usual effort" if facts.get("effort", 1) > 1 else ""
    return [
        f"What was hidden became {stand_in}. {facts['samples']} random trials (seed {facts['seed']}){harder}; {cost}"
    ]


def _own_link(found: Mapping[str, Any], asked: Mapping[str, Any]) -> html.A:
    method = asked["method"]
    kept = {k: v for k, v in asked["receipt"].items() if k != "seed"}
    options = {method: asked["options"]} if asked.get("options") else {}
    address = links.link("/attribution", model=asked["model"], input=asked["input"], **_aim(asked), methods=method,
                         options=options, receipt={method: kept})  # fmt: skip
    return html.A("Link to this receipt", href=address)


def _evidence_link(asked: Mapping[str, Any]) -> html.A:
    """Where every method takes the same test on this input."""
    address = links.link("/evidence", model=asked["model"], input=asked["input"], **_aim(asked))
    return html.A("All methods on this input", href=address)


def _aim(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The target as a link has it."""
    target = asked.get("target")
    if isinstance(target, dict):
        return {"sequence": target.get("sequence")}
    return {"target": "|".join(target) if isinstance(target, list) else target}
