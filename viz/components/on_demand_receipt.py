"""Receipts that cost whole runs, so that they are made when somebody asks: of a word's map, of an intervention's grid.

A page names what can be tested (value: words); what was tested stays on the page while its map does, and is in the
link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from backends.jobs.engine import Engine
from viz.components import links, receipt
from viz.components.job_panel import Answers, JobPanel, Requests, documents, if_new, in_words

MOST = 4
"""Receipts that stand on a page at a time; the oldest goes."""
Choices = Callable[[Any, Any], Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]]]
"""From a slot's answers and requests to what can be tested, by value: words, request of the run, receipt's options."""


class OnDemandReceipt:
    """The place of such receipts on a page; ids are `<page>-test-…`.

    `question` heads each receipt; `button` and `verb` say what is done; with `pick` there is a choice of several.
    """

    def __init__(self, page: str, question: str, button: str, verb: str, pick: str = "") -> None:
        self.page, self.question, self.button, self.pick = page, question, button, pick
        self.slot = JobPanel(page, "test", verb)
        self.chosen, self.tested = self.id("chosen"), self.id("tested")

    def id(self, part: str) -> str:
        """The id of one part."""
        return f"{self.page}-test-{part}"

    def parts(self, link: Mapping[str, Any]) -> html.Section:
        """The choice, the button, the progress and the receipts, as the link left them."""
        label = html.Label(self.pick, htmlFor=self.chosen, className="form-label mb-0")
        select = dbc.Select(id=self.chosen, options=[], value="", size="sm")
        start = html.Button(self.button, id=self.id("go"), type="button", className="export")
        tools = [html.Span([label, select], className="" if self.pick else "d-none"), start]
        return html.Section(
            [
                dcc.Store(id=self.tested, data=links.values(link, "tested", MOST)),
                html.Div(tools, className="receipt-tools"),
                self.slot.parts(),
                html.Div(id=self.id("receipts"), **{"aria-live": "polite"}),
            ],
            id=self.id("area"),
            className="d-none",
            **{"aria-label": self.question},
        )

    def face(self) -> html.Div:
        """The place on the picture where maps that failed are named."""
        return html.Div(id=self.id("face"), role="status")

    def register(self, app: Dash, engine: Engine, runs: JobPanel, choices: Choices) -> None:
        """Ask for the receipts that are wanted of what `runs` has answered, and show them."""
        self.slot.register(app, engine)

        @app.callback(
            Output(self.chosen, "options"),
            Output(self.chosen, "value"),
            Output(self.id("area"), "className"),
            Output(self.tested, "data"),
            Output(self.slot.requests, "data"),
            Input(runs.answers, "data"),
            Input(self.id("go"), "n_clicks"),
            State(self.chosen, "value"),
            State(self.tested, "data"),
            State(runs.requests, "data"),
            State(self.slot.requests, "data"),
            prevent_initial_call=True,
        )
        def ask(
            answers: Answers | None,
            _clicks: int | None,
            value: Any,
            tested: Any,
            requests: Requests | None,
            before: Any,
        ) -> Any:
            there = choices(answers, requests)
            clicked = value if ctx.triggered_id == self.id("go") else ""
            return self.asked(there, value, tested or [], clicked, before)

        @app.callback(
            Output(self.id("receipts"), "children"),
            Output(self.id("face"), "children"),
            Input(self.slot.answers, "data"),
            Input(self.slot.requests, "data"),
            State(runs.answers, "data"),
            State(runs.requests, "data"),
            prevent_initial_call=True,
        )
        def show(answers: Answers | None, requests: Requests | None, ran: Answers | None, runs: Requests | None) -> Any:
            found = self.found(engine, answers, requests or {}, choices(ran, runs))
            return self.shown(found), self.failed(found)

    def asked(
        self, there: Mapping[str, Any], value: str, tested: Sequence[str], clicked: str, before: Any
    ) -> list[Any]:
        """Options, chosen value, class of the area, what is tested, and the jobs."""
        options = [{"label": words, "value": name} for name, (words, *_) in there.items()]
        kept = value if value in there else next(iter(there), "")
        known = [t for t in tested if t in there or not there]  # until the run of a link is there, wait
        known = [*[t for t in known if t != clicked], clicked][-MOST:] if clicked in there else known
        wanted = {t: receipt.request(there[t][1], there[t][2]) for t in known if t in there}
        return [
            options, kept, "retest" if there else "d-none", no_update if known == list(tested) else known,
            if_new(wanted, before),
        ]  # fmt: skip

    def found(
        self, engine: Engine, answers: Any, requests: Mapping[str, Any], there: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The receipts that were asked for by their words, the newest first; a sentence for one that is not there."""
        there_now, why = documents(engine, answers)
        newest = [name for name in reversed(list(requests)) if name in there]
        return {
            there[name][0]: there_now.get(name) or (in_words(why[name]) if name in why else receipt.WAITING)
            for name in newest
        }

    def shown(self, found: Mapping[str, Any]) -> list[html.Div]:
        """Each receipt in its box."""
        made = []
        for words, about in found.items():
            if isinstance(about, str):
                made.append(html.Div(html.P(f"{words}: {about}", className="hint"), className="receipt"))
                continue
            head = f"{words}: {self.question}" if self.pick else self.question
            made.append(
                html.Div(receipt.told(about, head), className=f"receipt receipt-{receipt.slug(about['verdict'])}")
            )
        return made

    def failed(self, found: Mapping[str, Any]) -> Any:
        """What is said on the picture of the maps that failed."""
        bad = [words for words, about in found.items() if not isinstance(about, str) and about["verdict"] == "fails"]
        if not bad:
            return ""
        what = f"the map of {', '.join(bad)}" if self.pick else "this picture"
        return html.P(
            [html.B(f"✗ Do not rely on {what}. "), "It failed its test: see below."], className="receipt-face"
        )
