"""One head of a long text on the attention page: what is said of it, and where the browser finds its windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dash import html

from backends.results import Result
from viz.components import heat_canvas
from viz.components.exports import exports
from viz.figures.words import visible
from viz.pages.attention import attention_view, heads
from viz.pages.attention.attention_view import LARGE, THRESHOLD, Head
from viz.server.tiles import address, tokens

LINES = 2048
"""Up to this many tokens the lines between them are drawn."""
WINDOW = "attention-window"
"""The id of the store that says which rows and keys are looked at."""


@dataclass(frozen=True)
class LongHead(Head):
    """A head whose pattern is not here: `window` is the worker's document of it, of the job `window`."""

    window: Mapping[str, Any] = field(default_factory=dict)
    start: Mapping[str, Any] | None = None

    @classmethod
    def over(
        cls, key: str, result: Result, window: Mapping[str, Any], layer: int, head: int | str,
        sink: bool = True, special: bool = True, start: Mapping[str, Any] | None = None,
    ) -> LongHead:  # fmt: skip
        """The head at (layer, head) of the statistics in `result`, seen through `window`, from `start` on."""
        return cls(key, result, layer, head, (0, 0), sink, special, window, start)

    @property
    def numbers(self) -> tuple[int, int | str]:
        """The layer and the head as the network counts them."""
        layer, head = self.names
        return int(layer), head if head == heads.MEAN else int(head)

    @property
    def rows(self) -> str:
        """Of how many rows its words are, where these are not all."""
        seen, there = int(self.window["summed_rows"]), int(self.window["query_tokens"])
        return "" if seen >= there else f"from {seen} of {there} rows"

    def sentence(self) -> str:
        shares = self.window["shares"]
        found = heads.numbers(self.result, self.layer, self.head)
        found |= {"itself": shares["itself"]} if "itself" in shares else {}
        found |= {"special": shares["to_special"]} if shares.get("to_special") and not self.pictured else {}
        name = self.name if self.head != heads.MEAN else f"The mean of layer {self.names[0]}"
        return heads.sentence(name, found, f"the first token, “{self.tokens[0]}”", self.noun)

    @property
    def noun(self) -> str:
        return "patch" if self.pictured else "token"

    def note(self) -> str:
        told = [f"The shares are means {self.rows}."] if self.rows else []
        gone = [] if self.special else heads.special(self.result)
        if self.sink or gone:
            what = [f"the first token, “{self.tokens[0]}”,"] if self.sink else []
            what += ["special tokens"] if gone else []
            verb = "take" if gone else "takes"
            share = f"{self.window['shares']['hidden_share']:.0%} of this head's attention"
            told.append(f"Hidden: {' and '.join(what)} which {verb} {share}. The rest is not rescaled.")
        if not self.window["whole"]:
            most = min(int(self.window["most_rows"]), LINES)
            told.append(
                f"Its whole map, {self.window['query_tokens']} × {self.window['tokens']}, would take too long: "
                f"the map is a window of at most {most} rows, which goes wherever you move it."
            )
        return " ".join(told)

    def map(self, dark: bool = False) -> tuple[Any, dict[str, Any] | None]:
        words = f"{self.name}: how much each token (down) looks at each token (across)"
        place = address(self.key, *self.numbers, sink=not self.sink, special=self.special)
        return [], heat_canvas.spec(
            LARGE,
            words,
            place,
            quantity="attention weight",
            stretch="sqrt",
            select=True,
            controls=("threshold", "colours", "stretch"),
            height=640,
            tiles={
                "key": self.key,
                "names": f"/maps/{self.key}/names",
                "address": place,
                "shape": [int(self.window["query_tokens"]), int(self.window["tokens"])],
                "whole": bool(self.window["whole"]),
                "most": float(self.window["most"]),
                "most_rows": min(int(self.window["most_rows"]), LINES),
                "window": dict(self.start) if self.start else None,
                "tell": WINDOW,
            },
        )

    def view(self) -> dict[str, Any]:
        base = address(self.key, *self.numbers)
        queries, keys = int(self.window["query_tokens"]), int(self.window["tokens"])
        about = {
            "name": self.name,
            "names": f"/maps/{self.key}/names",
            "long": True,
            "few": max(queries, keys) <= LINES,
            "specials": heads.special(self.result),
            "square": queries == keys,
            "sink": self.sink,
            "special": self.special,
            "threshold": THRESHOLD,
            "address": "",
            "row": f"{base}&keys=0-{keys}&size=1,{keys}&rows=",
            "column": f"{base}&rows=0-{queries}&size={queries},1&keys=" if self.window["whole"] else "",
        }
        return about | ({"picture": self._picture()} if self.pictured else {})

    def _picture(self) -> dict[str, Any]:
        first = int(self.result.facts["first_patch"])
        rows, columns = self.result.facts["grid"]
        return {
            "address": f"/maps/{self.key}/image",
            "grid": [int(rows), int(columns)],
            "first": first,
            "most": max(float(self.window["most_patches"]), 1e-9),
            "start": first + (rows // 2) * columns + columns // 2,
        }

    def table(self) -> html.Table:
        names = [[visible(t, 24) for t in side] for side in tokens(self.result)]
        found = [(names[0][q], q, names[1][k], k, weight) for q, k, weight in self.window["pairs"]]
        caption = f"{self.name}, strongest first" + (f", {self.rows}" if self.rows else "")
        return attention_view.pairs_table(caption, found)

    def downloads(self) -> list[Any]:
        base = address(self.key, *self.numbers).replace("/tile?", "/window.csv?")
        window = html.A(
            "CSV of what is in view",
            id="attention-window-csv",
            href=f"{base}&rows=0-1&keys=0-{int(self.window['tokens'])}",
            download="",
            className="export",
            title="The exact weights of the rows and keys in view",
            **{"data-base": base},
        )
        row = html.Div([html.Span("Save this head as", className="hint"), *attention_view.pictures(), window])
        row.className = "exports"
        return [row, exports(self.key, what="this result")]
