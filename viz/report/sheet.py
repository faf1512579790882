"""A case as one picture: question and verdict on top, then input, answer and map, and at its foot where it is from.

The map is the drawing of `drawn_map` or `plotted`, or a place of a given size that the browser fills.
"""

from __future__ import annotations

from viz import theme
from viz.figures.words import percent, visible
from viz.report import drawn_map, plotted, svg
from viz.report.case import LIMITED, Badge, Case

WIDTH, MARGIN = 860.0, 32.0
ROOM = WIDTH - 2 * MARGIN
C = theme.LIGHT
PAPER = {"holds": "#e8f5ec", "fails": "#fdecea", "open": "#fff4e0"}
"""What a verdict stands on; its word stands there at 4.5:1 at least."""
EDGES = {"holds": C["good"], "fails": C["bad"], "open": C["warn"]}
MOST_BADGES = 4
PLACE = "vitrine-picture"
"""The id of the group that the browser fills."""


def draw(case: Case, picture: tuple[float, float] | None = None) -> str:
    """The case as an SVG file; `picture` (width, height) leaves a place of that shape for what the browser shows."""
    parts, y = _head(case)
    for badge in case.badges[:MOST_BADGES]:
        part, y = _badge(badge, y)
        parts.append(part)
    if not case.badges:
        part, y = _untested(case, y)
        parts.append(part)
    part, y = _input(case, y + 8)
    parts.append(part)
    part, y = _map(case, y + 10, picture)
    parts.append(part)
    if case.caption:
        part, y = svg.paragraph(case.caption, MARGIN, y + 22, 13.5, C["ink"], ROOM, 4)
        parts.append(part)
    part, y = _foot(case, y + 14)
    parts.append(part)
    drawing = svg.Drawing(WIDTH, y + 14, "".join(parts))
    return svg.document(drawing, f"{case.question} {case.method}", "#ffffff", alternative(case))


def alternative(case: Case) -> str:
    """What the picture says, for those who cannot see it."""
    verdicts = [f"{badge.word}. {badge.sentence}" for badge in case.badges] or ["No receipt is kept with this map."]
    return " ".join([*verdicts, case.caption, case.warning]).strip()


def _head(case: Case) -> tuple[list[str], float]:
    title, y = svg.paragraph(case.question, MARGIN, 48, 24, C["ink"], ROOM, 2, bold=True)
    told = svg.cut(about(case), 14, ROOM)
    return [title, svg.words(told, MARGIN, y - 8, 14, C["muted"])], y + 6


def about(case: Case) -> str:
    """The line below the question: the method, where the question does not name it, and the model."""
    method = [] if case.question.startswith(case.method) else [case.method]
    return " · ".join([*method, case.model_title or case.model])


def _badge(badge: Badge, y: float) -> tuple[str, float]:
    colour = EDGES[badge.slug]
    lines = svg.wrapped(badge.sentence, 13, ROOM - 32, 3)
    height = 34 + 19 * len(lines)
    box = svg.rect(MARGIN, y, ROOM, height, PAPER[badge.slug], colour, 6)
    box += svg.rect(MARGIN, y, 6, height, colour, round_=3)
    word = svg.words(f"{badge.mark} {badge.word}", MARGIN + 18, y + 23, 17, colour, bold=True)
    told = "".join(svg.words(t, MARGIN + 18, y + 42 + 19 * i, 13, C["ink"]) for i, t in enumerate(lines))
    return box + word + told, y + height + 8


def _untested(case: Case, y: float) -> tuple[str, float]:
    if not drawn_map.accepts(case.result):
        return "", y
    told = "No receipt is kept with this map: nothing here says whether to believe it."
    box = svg.rect(MARGIN, y, ROOM, 32, C["raised"], C["edge"], 6)
    return box + svg.words(told, MARGIN + 18, y + 21, 14, C["ink"]), y + 40


def _input(case: Case, y: float) -> tuple[str, float]:
    """What was given, where the map does not show it itself, and what the model answered."""
    parts, wide = [], 250.0 if case.answers else 0.0
    low = y
    texts = drawn_map.accepts(case.result) and case.result.arrays["attribution"].ndim == 1
    if case.text and not texts:
        parts.append(svg.words("Input", MARGIN, y + 13, 12.5, C["muted"]))
        room = ROOM - wide - (24 if wide else 0)
        text, low = svg.paragraph(case.text, MARGIN, y + 34, 15, C["ink"], room, 6)
        parts.append(text)
        at = WIDTH - MARGIN - wide
    else:
        at, wide = MARGIN, ROOM if case.answers else 0.0
    if case.answers:
        parts.append(svg.words("Answer", at, y + 13, 12.5, C["muted"]))
        bars = [_bar(label, p, at, y + 20 + 22 * i, wide, label == case.target) for i, (label, p) in
                enumerate(case.answers)]  # fmt: skip
        parts += bars
        low = max(low, y + 26 + 22 * len(bars))
    return "".join(parts), low


def _bar(label: str, probability: float, x: float, y: float, wide: float, bold: bool) -> str:
    name, number = min(wide * 0.45, 220.0), 70.0
    room = wide - name - number
    text = svg.words(svg.cut(visible(label, 60), 13.5, name - 8, bold), x, y + 14, 13.5, C["ink"], bold=bold)
    bar = svg.rect(x + name, y + 3, room, 13, C["raised"]) + svg.rect(
        x + name, y + 3, room * min(max(probability, 0), 1), 13, C["accent"]
    )
    return text + bar + svg.words(percent(probability), x + wide, y + 14, 13, C["ink"], anchor="end", bold=bold)


def _map(case: Case, y: float, picture: tuple[float, float] | None) -> tuple[str, float]:
    if picture is not None:
        scale = min(ROOM / picture[0], 1.0)
        return f'<g id="{PLACE}" transform="translate({MARGIN} {y:.1f}) scale({scale:.4f})"></g>', (
            y + picture[1] * scale
        )
    if drawn_map.accepts(case.result):
        drawing = drawn_map.draw(case, ROOM)
        return svg.moved(drawing.markup, MARGIN, y), y + drawing.height
    if drawn_map.places_words(case.result):
        drawing = drawn_map.word_maps(case.result, ROOM)
        return svg.moved(drawing.markup, MARGIN, y), y + drawing.height
    parts = []
    for drawing in plotted.of_result(case.result, dict(case.view.part))[:3]:
        scale = min(ROOM / drawing.width, 1.0)
        parts.append(svg.moved(drawing.markup, MARGIN, y, scale))
        y += drawing.height * scale + 16
    return "".join(parts), y - 16 if parts else y


def _foot(case: Case, y: float) -> tuple[str, float]:
    line = svg.rect(MARGIN, y, ROOM, 1, C["line"])
    parts, y = [line], y + 20
    if case.warning:
        parts.append(svg.words(case.warning, MARGIN, y, 13.5, C["bad"], bold=True))
        y += 20
    for told in (f"{case.origin or case.model} · {case.date} · made with Vitrine", case.link, LIMITED):
        if told:
            part, y = svg.paragraph(told, MARGIN, y, 12, C["muted"], ROOM, 4)
            parts.append(part)
    return "".join(parts), y - 4
