"""What a tab of the evidence page is: its places, the job it asks for, what it shows of the answer, and its link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input

from backends.jobs.engine import Engine
from viz.components.job_panel import JobPanel
from viz.components.workbench import Workbench
from viz.pages.evidence import receipt_options
from viz.pages.evidence.receipt_options import part

Connect = Callable[[Dash, Engine, Workbench], None]
"""Registers callbacks."""


def _nothing_unknown(link: Mapping[str, Any]) -> list[str]:
    return []


@dataclass(frozen=True)
class Panel:
    """One tab of the page; a panel without a `title` stands at the end of the tab of its name.

    `parts` are its places as a link left them, `ask` connects what stands on the page with `job`, and `show` the
    answer with the places. `link` makes its part of the page's link of card, input and a view, which holds the values
    of the fields `values` and the data of the stores `stores`. `unknown` tells what a link asks for in vain.
    """

    tab: str
    title: str
    job: JobPanel
    parts: Callable[[Mapping[str, Any]], list[Any]]
    ask: Connect
    show: Connect
    link: Callable[[Any, Any, Mapping[str, Any]], dict[str, Any]]
    values: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    unknown: Callable[[Mapping[str, Any]], list[str]] = _nothing_unknown

    def register(self, app: Dash, engine: Engine, bench: Workbench) -> None:
        """Connect page → job → answer."""
        self.job.register(app, engine)
        self.ask(app, engine, bench)
        self.show(app, engine, bench)


def ask_while_open(tab: str, job: JobPanel, wanted: Callable[..., Any], fields: tuple[str, ...] = ()) -> Connect:
    """Ask, while `tab` is open, for the jobs that `wanted` makes of what stands on the page.

    `wanted` takes card, input, target and the options of a receipt, then the values of `fields`.
    """

    def ask(app: Dash, engine: Engine, bench: Workbench) -> None:
        def requests(card: Any, given: Any, target: Any, standin: Any, effort: Any, *values: Any) -> Any:
            return wanted(card, given, target, receipt_options.options(card, standin, effort), *values)

        given = [Input(store, "data") for store in (bench.card, bench.input, bench.aim)]
        shared = [Input(part(name), "value") for name in ("standin", "effort", *fields)]
        job.ask(app, [*given, *shared], requests, while_open=(part("tab"), tab))

    return ask
