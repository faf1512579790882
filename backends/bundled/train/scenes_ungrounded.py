"""Train `scenes-ungrounded`: the twin of `scenes` that never saw a grounding loss."""

import torch

from backends.bundled import cards
from backends.bundled.data import scenes as data
from backends.bundled.train import pictures
from backends.bundled.train.fit import Recipe, ask

RECIPE = Recipe("scenes-ungrounded", steps=500, rate=1.2e-3, warmup=50, hold=0.3)


def main() -> None:
    """Train, save the folder and write its card."""
    recipe, resume = ask(RECIPE)
    torch.set_num_threads(1)
    tokenizer = pictures.tokenizer_of(data.words())
    pipeline, seconds = pictures.branch(tokenizer, recipe, resume, grounded=False)
    cards.publish("scenes-ungrounded", pipeline, None, recipe, seconds)


if __name__ == "__main__":
    main()
