"""One head on the attention page: its words, its figure, its table, and what the browser needs to draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dash import html

from backends.results import Result
from viz import theme
from viz.components.exports import exports
from viz.components.graph import picture
from viz.figures import token_heat
from viz.figures.words import visible
from viz.pages.attention import heads

LARGE = "attention-large"
"""The id of the canvas for large maps."""
WIDEST = 256
"""Up to this many tokens the map is a plotly heat map and a result holds every head's; beyond, see `long_view`."""
SENT = 512
"""Cells on a side of one head's whole map as it travels."""
THRESHOLD = 0.1
"""The least weight that has a line while no token is pointed at."""


def whole(result: Result) -> bool:
    """Whether `result` holds every head's whole pattern."""
    layers, every, queries, keys = result.arrays["pattern"].shape
    there = (len(result.labels["all_layer"]), len(result.labels["all_head"]))
    return (layers, every) == there and queries == int(result.facts.get("query_tokens", keys))


def grid_data(key: str, result: Result) -> dict[str, Any]:
    """The layer × head grid for the browser: statistics with their scales, and where the small maps come from."""
    side = result.arrays["overview"].shape[3]
    tokens = int(result.facts["tokens"])
    return {
        **heads.grid(result),
        "key": key,
        "model": result.request.get("model"),
        "mean": whole(result) or "sampled_rows" in result.facts,
        "whole": whole(result),
        "part": result.facts.get("part", ""),
        "tokens": tokens,
        "rows": sampled(result),
        "sprite": f"/maps/{key}/overview/sprite?cell={side}&sqrt=1",
        "cell": _cell(result, side),
        "table": theme.tables()[theme.colour_map(False)],
    }


def sampled(result: Result) -> str:
    """Of how many rows the statistics and small maps are, where these are not all."""
    seen, there = result.facts.get("sampled_rows"), result.facts.get("query_tokens", result.facts["tokens"])
    return f"from {seen} of {there} rows" if seen and seen < there else ""


def _cell(result: Result, side: int) -> str:
    """What one cell of a small map stands for."""
    tokens = int(result.facts["tokens"])
    queries = int(result.facts.get("query_tokens", tokens))
    if max(tokens, queries) <= side:
        return ""
    rows, seen = result.arrays["overview"].shape[2], sampled(result)
    return f"each cell the largest of {-(-queries // rows)} × {-(-tokens // side)} weights" + (
        f", {seen}" if seen else ""
    )


def ranking(result: Result) -> html.Div:
    """The first heads of every statistic as buttons that show them."""
    rows = []
    for name in heads.offered(result):
        about, unit = heads.STATISTICS[name], heads.unit_of(result, name)
        found = heads.ranking(result.arrays[name], about.highest)
        row = [_pick_button(result, layer, head, value, unit) for layer, head, value in found]
        rows.append(
            html.Div(
                [
                    html.Div([about.ranked, html.Small(f" ({unit})")], className="rank-title"),
                    html.Div(row, className="rank-row"),
                ]
            )
        )
    if not heads.pictured(result) and "induction" not in heads.offered(result):
        rows.insert(
            0,
            html.Div(
                "No token occurs twice in this text, so there is nothing an induction head could show.",
                className="hint",
            ),
        )
    return html.Div([html.H3("Heads to look at"), *rows])


def _pick_button(result: Result, layer: int, head: int, value: float, unit: str) -> html.Button:
    name = f"{result.labels['all_layer'][layer]}.{result.labels['all_head'][head]}"
    return html.Button(
        [html.B(name), f" {value:.2f}"],
        type="button",
        className="head-pick rank-button",
        title=f"Show layer {name.partition('.')[0]}, head {name.partition('.')[2]}: {value:.4f} {unit}",
        **{"data-layer": str(layer), "data-head": str(head)},
    )


@dataclass(frozen=True)
class Head:
    """One head (or the mean over a layer's) of a result, as the page shows it.

    `layer` and `head` are places in the statistics; `at` is the place in `pattern`. `sink` hides the first
    token as a key, `special` shows special tokens.
    """

    key: str
    result: Result
    layer: int
    head: int | str
    at: tuple[int, int | str]
    sink: bool
    special: bool

    @classmethod
    def of(cls, key: str, result: Result, layer: int, head: int | str, sink: bool = True, special: bool = True) -> Head:
        """The head at (layer, head); a result that holds one head only has it first."""
        return cls(key, result, layer, head, (layer, head) if whole(result) else (0, 0), sink, special)

    @property
    def names(self) -> tuple[str, str]:
        """The layer's and the head's name."""
        head = heads.MEAN if self.head == heads.MEAN else self.result.labels["all_head"][int(self.head)]
        return self.result.labels["all_layer"][self.layer], head

    @property
    def name(self) -> str:
        """The head's name for a heading, such as “Head 2.3”."""
        layer, head = self.names
        return f"Layer {layer}, mean over its heads" if self.head == heads.MEAN else f"Head {layer}.{head}"

    @property
    def pictured(self) -> bool:
        """Whether its tokens are patches of an image."""
        return heads.pictured(self.result)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens, their white space shown."""
        return tuple(visible(token, 24) for token in self.result.labels["key"])

    @property
    def hides_first(self) -> bool:
        """Whether the first token is hidden as a key although it is one of the tokens shown."""
        return self.sink and (self.special or 0 not in heads.special(self.result))

    def alone(self) -> Result:
        """This head's pattern as a result of its own, special tokens left out unless they are shown."""
        one = heads.alone(self.result, *self.at, self.names)
        return one if self.special else heads.without(one, heads.special(self.result))

    def sentence(self) -> str:
        """The head in words."""
        pattern = heads.alone(self.result, *self.at, self.names).arrays["pattern"][0, 0]
        found = heads.numbers(self.result, self.layer, self.head)
        found |= heads.shares(pattern, [] if self.pictured else heads.special(self.result))
        first = f"the first token, “{self.tokens[0]}”"
        name = self.name if self.head != heads.MEAN else f"The mean of layer {self.names[0]}"
        return heads.sentence(name, found, first, "patch" if self.pictured else "token")

    def note(self) -> str:
        """What is hidden, so that nobody takes the rest for all of it."""
        pattern = self.result.arrays["pattern"][self.at[0]]
        pattern = pattern.mean(0) if self.at[1] == heads.MEAN else pattern[int(self.at[1])]
        gone = [] if self.special else heads.special(self.result)
        hidden = sorted({*([0] if self.sink else []), *gone})
        if not hidden or pattern.shape[1] < 2:
            return ""
        share = float(pattern[:, hidden].sum(1).mean())
        what = " and ".join(
            ([f"the first token, “{self.tokens[0]}”,"] if self.sink else [])
            + ([f"special tokens ({', '.join(dict.fromkeys(self.tokens[i] for i in gone[:6]))})"] if gone else [])
        )
        verb = "take" if len(hidden) > 1 else "takes"
        return f"Hidden: {what} which {verb} {share:.0%} of this head's attention. The rest is not rescaled."

    def map(self, dark: bool = False) -> tuple[Any, dict[str, Any] | None]:
        """The token × token map: a plotly heat map up to `WIDEST` tokens, else what the canvas draws."""
        words = f"{self.name}: how much each token (down) looks at each token (across)"
        figure = token_heat.draw(self.alone(), hide_sink=self.hides_first, dark=dark)
        figure.update_layout(title_text="", title_subtitle_text="", margin_t=24)
        return picture("attention-heat", figure, words, f"vitrine-attention-{'-'.join(self.names)}"), None

    def view(self) -> dict[str, Any]:
        """What the browser needs to draw lines and patches: names, what is hidden, and where the weights are."""
        layer, head = self.at
        base = f"/maps/{self.key}/pattern?sqrt=1&at={layer},{head}"
        queries = self.result.labels["query"]
        about = {
            "name": self.name,
            "tokens": list(self.tokens),
            "specials": heads.special(self.result),
            "sink": self.sink,
            "special": self.special,
            "threshold": THRESHOLD,
            "address": f"{base}&size={SENT}",
            "row": f"{base},",
            "column": f"{base},*,",
        }
        if queries != self.result.labels["key"]:
            about["queries"] = [visible(token, 24) for token in queries]
        return about | ({"picture": self._picture()} if self.pictured else {})

    def _picture(self) -> dict[str, Any]:
        first = int(self.result.facts["first_patch"])
        pattern = heads.alone(self.result, *self.at, self.names).arrays["pattern"][0, 0]
        rows, columns = self.result.facts["grid"]
        return {
            "address": f"/maps/{self.key}/image",
            "grid": [int(rows), int(columns)],
            "first": first,
            "most": float(pattern[first:, first:].max(initial=1e-9)),
            "start": first + (rows // 2) * columns + columns // 2,
        }

    def table(self) -> html.Table:
        """The strongest pairs as a table, for those who do not see the map."""
        one = self.alone()
        queries, keys = ([visible(t, 24) for t in one.labels[a]] for a in ("query", "key"))
        found = [(queries[q], q, keys[k], k, weight) for q, k, weight in heads.pairs(one, self.hides_first)]
        return pairs_table(f"{self.name}, strongest first", found)

    def downloads(self) -> list[Any]:
        """This head's picture and numbers, and the whole result."""
        mean, (layer, head) = self.head == heads.MEAN, self.at
        one = {} if mean else {"CSV": f"csv?array=pattern&at={layer},{head}", "HTML": f"html?layer={layer}&head={head}"}
        links = [
            html.A(
                words,
                href=f"/results/{self.key}/{path}",
                download="",
                className="export",
                title=f"{self.name} as {words}",
            )
            for words, path in one.items()
        ]
        row = html.Div([html.Span("Save this head as", className="hint"), *pictures(), *links], className="exports")
        whole_one = exports(self.key, what="every head" if whole(self.result) else "this result")
        return [row, whole_one]


def pairs_table(caption: str, pairs: list[tuple[str, int, str, int, float]]) -> html.Table:
    """Pairs (query, its place, key, its place, weight) as a table."""
    rows = [
        html.Tr([html.Td(f"{query} ({q})"), html.Td(f"{key} ({k})"), html.Td(f"{weight:.4f}")])
        for query, q, key, k, weight in pairs
    ]
    head = html.Thead(html.Tr([html.Th(t, scope="col") for t in ("token", "looks at", "weight (probability)")]))
    return html.Table([html.Caption(caption), head, html.Tbody(rows)], className="table table-sm")


def pictures() -> list[html.Button]:
    """Buttons that save the open view as a picture."""
    return [
        html.Button(
            kind.upper(), type="button", className="export attention-save", title=f"Save this as {kind.upper()}",
            **{"data-kind": kind},
        )
        for kind in ("png", "svg")
    ]  # fmt: skip
