"""Results in a notebook or a script: the designed page as one picture, and any figure as SVG that no font can break."""

from __future__ import annotations

from typing import Any

from backends.results import Result
from viz import figures
from viz.report import case, plotted, sheet, svg


class Shown:
    """A picture that a notebook shows where it is the last line of a cell; `text` is its SVG."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_svg_(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<div style="max-width:860px;background:#ffffff">{self.text}</div>'

    def save(self, path: Any) -> None:
        """Write the picture as an SVG file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text)


def show(result: Result, **view: Any) -> Shown:
    """The result as it leaves Vitrine: question, verdict, answer, map, legend, caption and origin.

    `view` are the fields of `viz.report.case.View`, such as `by="token"` or `scale=(-1, 1)`.
    """
    return Shown(sheet.draw(case.make(result, view=case.View(**view))))


def draw(result: Result, figure: str | None = None, **view: Any) -> Shown:
    """One figure of the result, called as in `viz.figures.draw`. Raises `Refused` where it is none that fits."""
    made = plotted.draw(figures.draw(result, figure, **view))
    return Shown(svg.document(made, f"{result.method}: {figure or 'figure'}", "#ffffff"))
