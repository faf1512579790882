"""The bundled models as cards: what each is, how well it does, and a link to every page that shows something of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import dcc, html

from backends import catalog
from viz.components.inputs import example_image
from viz.components.links import link
from viz.pages import pages_for

TASKS = {
    "causal-lm": "language model",
    "text-classification": "text classifier",
    "fill-mask": "masked encoder",
    "image-classification": "image classifier",
    "text-to-text": "encoder–decoder",
    "sentence-similarity": "sentence encoder",
    "image-text": "image–text network",
    "image-encoding": "image encoder",
    "text-to-image": "text-to-image pipeline",
}
"""What the task of a card is called."""


def model_card(card: Mapping[str, Any]) -> html.Article:
    """The card of one bundled model."""
    return html.Article(
        [
            html.Div(_picture(card), className="gallery-picture"),
            html.H2(card["title"]),
            html.Div(f"{TASKS.get(card['task'], card['task'])} · {card['name']}", className="gallery-kind"),
            html.P(card["summary"]),
            html.Ul(
                [html.Li(f"{f['name']}: {_figure(f)}", title=f["what"]) for f in card["figures"][:2]],
                className="gallery-figures",
            ),
            html.Div(links_to_pages({**card, "offers": catalog.expected_offers(card)}), className="doors"),
            html.Details(
                [html.Summary("Data and limits"), *[html.P(told) for told in (card["data"], *card["limits"])]]
            ),
        ],
        className="panel gallery-card",
    )


def _figure(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']:.3f} (n = {figure['n']})"


def links_to_pages(card: Mapping[str, Any]) -> list[Any]:
    """A link to each page that has something to show of the model."""
    return [
        dcc.Link(page.TITLE, href=link(page.PATH, model=card["name"]), className="btn btn-sm btn-primary")
        for page in pages_for(card)
    ]


def _picture(card: Mapping[str, Any]) -> Any:
    """The cover example: an image, or a sentence with the words that matter marked."""
    index = card.get("cover", 0)
    example = card["examples"][index]
    if card["task"].startswith("image"):
        return html.Img(src=example_image(card, index), alt=f"Example: {example['name']}")
    spans = sorted(example.get("truth", {}).get("spans", []))
    parts: list[Any] = []
    at = 0
    for start, end in spans:
        parts += [example["input"][at:start], html.Mark(example["input"][start:end])]
        at = end
    said = example["target"][0] if card["task"] == "causal-lm" and isinstance(example["target"], list) else ""
    return html.P([*parts, example["input"][at:], html.Mark(f" {said}") if said else ""], className="gallery-text")
