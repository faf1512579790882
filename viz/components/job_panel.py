"""The one idiom of asking and answering: jobs are asked for, watched, cancelled, and their answers read.

A page says with `JobPanel.ask` which `{name: request}` follows from what stands on it, and reads the answers as they
come in with `document`, `result`, `documents` or `results`. The interval is off while nothing runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NotRequired, TypedDict

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from backends.errors import Refused, Unsettled
from backends.jobs.engine import Engine
from backends.requests import key_of
from viz.components.alerts import alert
from viz.components.looking import Later

TAB = "shell-tab"
"""The id of the store that names this browser tab: whose interest keeps a job alive."""
FIRST = {"forecast": 30, "open": 20, "predict": 10, "edit": 10}
"""Short jobs that everything else on a page waits for go before long ones of other pages."""
LAST = {"receipt": -5}
"""Quiet jobs that somebody waits for go before the other quiet ones."""
PATIENCE = 0.15
"""Seconds a callback waits for the answer before the page polls."""
LATER = 3_600_000
"""Milliseconds of the interval while a poll is under way: on a busy machine polls would overtake each other."""
MOST = 64
"""Jobs that one panel may ask for at a time."""
CANCELLED = "cancelled"
BUTTON = "btn btn-sm btn-outline-secondary"

Requests = dict[str, dict[str, Any]]
"""The jobs of a panel by name, as its store holds them."""


class Answers(TypedDict):
    """What the store of a panel's answers holds: all by the names of the jobs.

    `asked` and `keys` are the keys of all jobs and of those that are done, `sentences` say why one gave nothing, and
    `again` names those that may go well another time.
    """

    asked: NotRequired[dict[str, str]]
    keys: NotRequired[dict[str, str]]
    sentences: NotRequired[dict[str, str]]
    again: NotRequired[list[str]]


class Answer(NamedTuple):
    """One answer: its document or result with its key; or None, and a sentence where it is known why."""

    value: Any
    key: str
    why: str


class JobPanel:
    """The place of the jobs of one kind on one page; ids are `<page>-<name>-…`.

    `verb` is what the bar says while they run ("Opening the model"). `quiet` panels show neither bar nor
    sentences, and their jobs wait behind all others; without `tell` the page shows the sentences itself.
    `beside` are the answers of another panel: what is told there, such as that a text is too long, is not told twice.
    """

    def __init__(
        self, page: str, name: str, verb: str = "", quiet: bool = False, tell: bool = True, beside: str = ""
    ) -> None:
        self.verb, self.quiet, self.tell, self.beside = verb, quiet, tell, beside
        self.every = 1000 if quiet else 250
        self.requests, self.answers = f"{page}-{name}-requests", f"{page}-{name}-answers"
        self.poll, self.cancel, self.box = f"{page}-{name}-poll", f"{page}-{name}-cancel", f"{page}-{name}-box"
        self.bar, self.words = f"{page}-{name}-bar", f"{page}-{name}-words"
        self.alert, self.again = f"{page}-{name}-alert", f"{page}-{name}-again"

    def parts(self) -> html.Div:
        """The stores, the progress bar with its cancel button, and the place for sentences."""
        return html.Div(
            [
                dcc.Store(id=self.requests),
                dcc.Store(id=self.answers),
                dcc.Interval(id=self.poll, interval=self.every, disabled=True),
                html.Div(
                    [
                        html.Div("", id=self.words, className="job-words"),
                        html.Div(
                            [
                                html.Progress(
                                    id=self.bar, value="0", max="100", className="job-bar", **{"aria-label": "Progress"}
                                ),
                                html.Button("Cancel", id=self.cancel, type="button", className=BUTTON),
                            ],
                            className="job-row",
                        ),
                    ],
                    id=self.box,
                    className="job d-none",
                ),
                html.Div(id=self.alert, role="alert", className="job-alert"),
                html.Button("Try again", id=self.again, type="button", className="d-none"),
            ],
            className="d-none" if self.quiet else "job-slot",
        )  # fmt: skip

    def register(self, app: Dash, engine: Engine) -> None:
        """Connect the panel to the engine."""

        @app.callback(
            Output(self.answers, "data"),
            Output(self.box, "className"),
            Output(self.bar, "value"),
            Output(self.words, "children"),
            Output(self.again, "className"),
            Output(self.poll, "disabled"),
            Input(self.requests, "data"),
            Input(self.poll, "n_intervals"),
            Input(self.cancel, "n_clicks"),
            Input(self.again, "n_clicks"),
            State(self.answers, "data"),
            State(TAB, "data"),
            running=[(Output(self.poll, "interval"), LATER, self.every)],
            prevent_initial_call=True,
        )
        def watch(
            requests: Requests | None,
            _ticks: int | None,
            _cancel: int | None,
            _again: int | None,
            before: Any,
            tab: Any,
        ) -> tuple[Any, ...]:
            triggers = set(ctx.triggered_prop_ids.values())
            what = "ask" if {self.requests, self.again} & triggers else "cancel" if self.cancel in triggers else "poll"
            before = before if isinstance(before, dict) else {}
            answers, waiting, fraction, words = progress(
                engine, requests or {}, before, str(tab), what, self.verb, self.quiet
            )
            same = what != "ask" and all(answers[k] == before.get(k) for k in answers)
            box = "job" if waiting else "job d-none"
            again = f"{BUTTON} mb-2" if answers["again"] and not waiting else "d-none"
            return no_update if same else answers, box, str(round(100 * fraction)), words, again, not waiting

        others = [Input(self.beside, "data")] if self.beside else []

        @app.callback(Output(self.alert, "children"), Input(self.answers, "data"), *others, prevent_initial_call=True)
        def tell(answers: Answers | None, *beside: Answers | None) -> list[Any]:
            return sentences(untold(answers, *beside)) if self.tell else []

    def ask(
        self,
        app: Dash,
        inputs: Sequence[Any],
        wanted: Callable[..., Any],
        while_open: tuple[str, str] | None = None,
    ) -> None:
        """Ask for the jobs that `wanted` makes of the values of `inputs`, each time one of them changes.

        Nothing happens where just these are asked for already, or where `wanted` gives `no_update`. With `while_open`,
        the id of the tabs' store and a tab's name, jobs are asked for only while that tab is open; elsewhere those that
        do not belong to the page any more are given up.
        """
        tab = [Input(while_open[0], "data")] if while_open else []
        own = State(self.requests, "data")

        @app.callback(Output(self.requests, "data"), *inputs, *tab, own, prevent_initial_call=True)
        def ask(*values: Any) -> Any:
            *rest, before = values
            there = not while_open or rest.pop() == while_open[1]
            asked = if_new(wanted(*rest), before)
            return asked if there or asked is no_update else {}


def if_new(wanted: Any, before: Any) -> Any:
    """The jobs that are wanted; `no_update` where they are asked for already. The browser knows no tuples."""
    return no_update if _written(wanted) == _written(before) else wanted


def _written(requests: Any) -> Any:
    return requests if requests is no_update else json.dumps(requests, sort_keys=True)


def answer_keys(answers: Answers | Mapping[str, Any] | None) -> dict[str, str]:
    """The keys of what is done, by name."""
    return (answers or {}).get("keys") or {}


def reasons(answers: Answers | Mapping[str, Any] | None) -> dict[str, str]:
    """Why a job gave nothing, by name."""
    return (answers or {}).get("sentences") or {}


def take_document(engine: Engine, answers: Answers | Mapping[str, Any] | None, name: str) -> Any:
    """The document that is the answer to the job `name`, None while there is none. Raises `Refused` if it is gone."""
    key = answer_keys(answers).get(name)
    return engine.store.get_document(key) if key else None


def take_result(engine: Engine, answers: Answers | Mapping[str, Any] | None, name: str) -> Any:
    """The result that is the answer to the job `name`, None while there is none. Raises `Refused` if it is gone."""
    key = answer_keys(answers).get(name)
    return engine.store.get_result(key) if key else None


def document(engine: Engine, answers: Answers | Mapping[str, Any] | None, name: str) -> Answer:
    """The document that is the answer to the job `name`."""
    return _read(engine.store.get_document, answers, name)


def result(engine: Engine, answers: Answers | Mapping[str, Any] | None, name: str) -> Answer:
    """The result that is the answer to the job `name`."""
    return _read(engine.store.get_result, answers, name)


def documents(engine: Engine, answers: Answers | Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The documents that are there, by name; and a sentence for each job that has none."""
    return _read_all(engine.store.get_document, answers)


def results(engine: Engine, answers: Answers | Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The results that are there, by name; and a sentence for each job that has none."""
    return _read_all(engine.store.get_result, answers)


def _read_all(
    get: Callable[[str], Any], answers: Answers | Mapping[str, Any] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    found, why = {}, dict(reasons(answers))
    for name in answer_keys(answers):
        one = _read(get, answers, name)
        if one.value is None:
            why[name] = one.why
        else:
            found[name] = one.value
    return found, why


def _read(get: Callable[[str], Any], answers: Answers | Mapping[str, Any] | None, name: str) -> Answer:
    key = answer_keys(answers).get(name, "")
    try:
        return Answer(get(key) if key else None, key, reasons(answers).get(name, ""))
    except Refused as refused:
        return Answer(None, "", str(refused))


def untold(answers: Any, beside: Any = None) -> dict[str, str]:
    """The sentences of a panel's answers, without those that the answers of the panel `beside` hold too."""
    known = set(reasons(beside).values()) - {CANCELLED}
    return {name: why for name, why in reasons(answers).items() if why not in known}


def progress(
    engine: Engine,
    requests: Mapping[str, Any],
    before: Mapping[str, Any],
    tab: str,
    what: str,
    verb: str = "",
    quiet: bool = False,
) -> tuple[dict[str, Any], bool, float, str]:
    """Ask for (`ask`), look after (`poll`) or give up (`cancel`) the jobs of one panel.

    Returns the answers so far (`again` names those that may go well another time), whether any job still
    runs, the fraction done and words for the bar. A poll may arrive before, or instead of, the callback that
    asks: it asks for what was not asked for yet.
    """
    if not isinstance(requests, Mapping) or len(requests) > MOST:
        raise Refused(f"at most {MOST} jobs are asked for at a time")
    asked, keys, why, fractions, states = {}, {}, {}, [], []
    again: list[str] = []
    known, failed = set(before.get("asked", {}).values()), before.get("sentences", {})
    patience = PATIENCE if what == "ask" else 0.0
    for name, request in requests.items():
        try:
            key = asked[name] = key_of(request)
            if name in failed and key in known and what != "ask":  # the engine forgets how jobs ended
                why[name] = failed[name]
                again += [name] if name in before.get("again", ()) else []
            elif what == "cancel":
                engine.cancel(key, tab)
            elif what == "ask" or key not in known:
                engine.submit(request, tab, (LAST if quiet else FIRST).get(request.get("job"), -10 if quiet else 0))
        except Later:  # the page is not in a browser yet; the browser's first poll asks
            del asked[name]
            continue
        except (Refused, TypeError) as refused:
            why[name] = str(refused)
            again += [name] if isinstance(refused, Unsettled) else []
            continue
        if name in why:
            continue
        state = engine.wait(key, patience)
        if state.final:
            fractions.append(1.0)
        else:
            patience = 0.0
            engine.touch(key, tab)
            fractions.append(state.fraction)
            states.append(state)
        if state.status == "done":
            keys[name] = key
        elif state.final or what == "cancel":
            why[name] = CANCELLED if what == "cancel" else state.message or CANCELLED
            again += [name] if what == "cancel" or state.again else []
    if what == "ask":
        for old in known - set(asked.values()):
            engine.cancel(old, tab)
    waiting = len(keys) + len(why) < len(requests)
    if requests and not asked:
        raise Later("jobs of which none is done")
    return (
        {"asked": asked, "keys": keys, "sentences": why, "again": again},
        waiting,
        _mean(fractions),
        _words(states, verb),
    )


def _mean(fractions: list[float]) -> float:
    return sum(fractions) / len(fractions) if fractions else 0.0


def _words(states: list[Any], verb: str) -> str:
    """What the bar says: what is done, how far, and for how long."""
    if not states:
        return ""
    running = next((s for s in states if s.status == "running"), states[0])
    more = f", {len(states)} to go" if len(states) > 1 else ""
    return f"{verb or 'Computing'}{': ' + running.message if running.message else ' …'} ({running.seconds:.0f} s{more})"


def in_words(sentence: str) -> str:
    """The sentence of a job that gave no answer, for a page that shows it itself."""
    return "Cancelled; nothing else was lost." if sentence == CANCELLED else sentence


def sentences(why: Mapping[str, str]) -> list[Any]:
    """One line for each job that gave no answer, as text."""
    told = [text for text in dict.fromkeys(why.values()) if text != CANCELLED]
    gave_up = [alert(in_words(CANCELLED), "light")]
    return [alert(text) for text in told] + (gave_up if CANCELLED in why.values() else [])
