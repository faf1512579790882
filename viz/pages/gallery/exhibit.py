"""A network to play with on arrival: parts of its input are hidden or swapped with one click, and its answer is real.

The answers to every combination of `changes` are asked for as the page opens, each by the job `edit` of the touch
panel, so that a click shows at once what is there. The sentence is made of the answers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dash import Dash, Input, Output, State, dcc, html
from flask import current_app, has_app_context

from backends import catalog
from backends.jobs.engine import Engine
from backends.requests import Edit, key_of
from viz.components import links
from viz.components.inputs import raw_of
from viz.components.job_panel import Answers, JobPanel, documents, in_words, reasons
from viz.figures.words import percent, visible

Found = Mapping[str, Mapping[str, Any]]
"""The answers that are there, by the names of the changes made, joined by commas."""
ROWS = 3
"""Bars of the answer at most."""


@dataclass(frozen=True)
class Change:
    """One thing that a click does to the input.

    `edit` is one of `backends.requests.Edit`. The words complete the sentence: `done` begins it, `read` is said where
    the answer flips, `unread` where it stays.
    """

    name: str
    verb: str
    edit: Sequence[Any]
    done: str
    read: str
    unread: str


@dataclass(frozen=True)
class Exhibit:
    """A shipped model with one of its examples and what can be changed in it; ids are `gallery-<name>-…`.

    `replacement` is what hidden parts become, `waiting` is said while the answer is not there, and `invitation` once it
    is, before anything was changed.
    """

    name: str
    model: str
    example: int
    changes: tuple[Change, ...]
    replacement: str
    waiting: str
    invitation: str

    @property
    def panel(self) -> JobPanel:
        """The jobs that ask the model."""
        return JobPanel("gallery", self.name, "Asking the network", tell=False)

    @property
    def card(self) -> Mapping[str, Any]:
        """The shipped card, empty where this Vitrine ships no such model."""
        return catalog.card(self.model)

    def id(self, part: str) -> str:
        """The id of one part."""
        return f"gallery-{self.name}-{part}"

    def stores(self) -> list[Any]:
        """What asks for the answers as the page opens, and the place of a sentence where that fails."""
        return [dcc.Store(id=self.id("here"), data=True), self.panel.parts()]

    def said(self) -> html.P:
        """The place of the sentence."""
        said = self.tell(self.known(), []) or self.waiting
        return html.P(said, id=self.id("said"), className="exhibit-said", role="status")

    def bars(self) -> html.Div:
        """The answer's bars, where it is known already; else their place, of the height that they will have."""
        return html.Div(bars(self.known(), []) or empty_bars(), id=self.id("bars"), className="exhibit-bars")

    def known(self) -> Found:
        """The answers that are kept already, while a page is served: they stand on it from the first."""
        engine = current_app.config.get("ENGINE") if has_app_context() else None
        return self.kept(engine) if engine is not None else {}

    def kept(self, engine: Engine) -> Found:
        """The answers that the store has, whoever asked."""
        keys = {name: key_of(request) for name, request in self.requests(engine).items()}
        return documents(engine, {"keys": {name: key for name, key in keys.items() if engine.store.has(key)}})[0]

    def further(self) -> dcc.Link:
        """The way on to the page of the same input."""
        return dcc.Link("Look inside", href=self.path(), id=self.id("further"), className="exhibit-further")

    def path(self, digest: str = "", made: Sequence[str] = ()) -> str:
        """The attribution page of this input with the changes called `made`."""
        edits = [list(c.edit) for c in self.changes if c.name in made]
        return links.link("/attribution", model=self.model, input=digest, touch=edits)

    def keep_input(self, engine: Engine) -> str:
        """The digest of the input, which the store keeps from now on."""
        card: Any = {"offers": ("pixels",) if str(self.card["task"]).startswith("image") else (), **self.card}
        return engine.store.put_input(raw_of(card, self.card["examples"][self.example]))

    def requests(self, engine: Engine) -> dict[str, dict[str, Any]]:
        """A job for every combination of changes; none where the model is not shipped."""
        if not self.card:
            return {}
        about: dict[str, Any] = {"model": self.model, "revision": catalog.resolve(self.model).revision}
        about |= {"input": self.keep_input(engine), "replacement": self.replacement}
        return {
            ",".join(c.name for c in some): Edit(edits=[list(c.edit) for c in some], **about).plain()
            for many in range(1, len(self.changes) + 1)
            for some in combinations(self.changes, many)
        }

    def register(self, app: Dash, engine: Engine, draw: Callable[[Sequence[str], str], Any]) -> None:
        """Connect the page's opening to the jobs, and clicks and answers to what is seen.

        `draw(made, last)` gives the input once the changes called `made` were made; `last` is the answer to it.
        """
        self.panel.register(app, engine)
        clicks = [Input(self.id(f"{c.name}{spot}"), "n_clicks") for c in self.changes for spot in ("", "-spot")]

        @app.callback(Output(self.panel.requests, "data"), Input(self.id("here"), "data"))
        def arrive(_here: Any) -> dict[str, dict[str, Any]]:
            return self.requests(engine)

        @app.callback(
            Output(self.id("bars"), "children"),
            Output(self.id("said"), "children"),
            Output(self.id("input"), "children"),
            Output(self.id("further"), "href"),
            *[Output(self.id(c.name), "aria-pressed") for c in self.changes],
            Input(self.panel.answers, "data"),
            *clicks,
            State(self.panel.requests, "data"),
            prevent_initial_call=True,
        )
        def show(answers: Answers | None, *values: Any) -> tuple[Any, ...]:
            *pressed, requests = values
            made = self.made(pressed)
            found, why = self.kept(engine), reasons(answers)
            label = self.last(found, made)
            said = self.tell(found, made) or in_words(next(iter(why.values()), self.waiting))
            first: Mapping[str, Any] = next(iter((requests or {}).values()), {})
            digest = first.get("input", "")
            on = [str(c.name in made).lower() for c in self.changes]
            return (
                bars(found, made) or empty_bars(), said, draw(made, label), self.path(digest, made), *on,
            )  # fmt: skip

    def made(self, clicks: Sequence[int | None]) -> list[str]:
        """The changes that are made after so many clicks on each change's button and on its spot, in turn."""
        pairs = zip(clicks[::2], clicks[1::2], strict=True)
        return [c.name for c, two in zip(self.changes, pairs, strict=True) if sum(n or 0 for n in two) % 2]

    def last(self, found: Found, made: Sequence[str]) -> str:
        """The answer once the changes called `made` were made; empty while it is not known."""
        if not made:
            return _first(next(iter(found.values())), "before")[0] if found else ""
        there = found.get(",".join(made))
        return _first(there, "after")[0] if there else ""

    def tell(self, found: Found, made: Sequence[str]) -> str:
        """What was changed, what became of the answer, and what it had read; empty while it is not known."""
        if not made:
            if not found:
                return ""
            label, share = _first(next(iter(found.values())), "before")
            return f"The network says {visible(label, 24)} ({percent(share)}). {self.invitation}"
        answer = found.get(",".join(made))
        if answer is None:
            return ""
        there = [c for c in self.changes if c.name in made]
        done = there[0].done + "".join(f" and {_lower(c.done)}" for c in there[1:])
        before, (after, share) = _first(answer, "before")[0], _first(answer, "after")
        if not answer["flips"]:
            why = f": {there[0].unread}" if len(there) == 1 else ""
            return f"{done}, the network still says {visible(after, 24)} ({percent(share)}){why}."
        alone = [c for c in there if found.get(c.name, {}).get("flips")]
        why = f": it had read {alone[0].read}" if len(alone) == 1 else ""
        return (
            f"{done}, the network says {visible(after, 24)} ({percent(share)}), no longer {visible(before, 24)}{why}."
        )


def _first(answer: Mapping[str, Any], side: str) -> tuple[str, float]:
    """The likeliest answer `before` or `after`, and its probability."""
    best = max(answer["choices"], key=lambda c: c[side])
    return best["label"], best[side]


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def labels(found: Found) -> list[str]:
    """The answers that are ever first, likeliest first as the input was; filled up to two with the next."""
    if not found:
        return []
    start = next(iter(found.values()))["choices"]
    firsts = [_first(answer, side)[0] for answer in found.values() for side in ("before", "after")]
    order = dict.fromkeys([*[c["label"] for c in start if c["label"] in firsts], *firsts])
    more = [c["label"] for c in start if c["label"] not in order]
    return [*order, *more[: max(0, 2 - len(order))]][:ROWS]


def bars(found: Found, made: Sequence[str]) -> list[html.Div]:
    """A bar for each answer as it stands, and a mark where it stood before; empty while it is not known."""
    answer = found.get(",".join(made)) if made else next(iter(found.values()), None)
    if not answer:
        return []
    side = "after" if made else "before"
    winner = _first(answer, side)[0]
    return [_bar(answer, label, side, label == winner) for label in labels(found)]


def _bar(answer: Mapping[str, Any], label: str, side: str, won: bool) -> html.Div:
    one = next((c for c in answer["choices"] if c["label"] == label), {"before": 0.0, "after": 0.0})
    mark = html.B(style={"left": f"{100 * one['before']:.1f}%"}, title=f"before: {percent(one['before'])}")
    length = html.Div(
        [html.I(style={"width": f"{100 * one[side]:.1f}%"}), mark if side == "after" else None], className="exhibit-bar"
    )
    name = html.Span(visible(label, 24), className="exhibit-label")
    share = html.Span(percent(one[side]), className="exhibit-share")
    return html.Div([name, length, share], className="exhibit-answer won" if won else "exhibit-answer")


def empty_bars(rows: int = 2) -> list[html.Div]:
    """Bars of the same size that say nothing yet."""
    row = [
        html.Span("…", className="exhibit-label"),
        html.Div(className="exhibit-bar"),
        html.Span("", className="exhibit-share"),
    ]
    return [html.Div(row, className="exhibit-answer") for _ in range(rows)]
