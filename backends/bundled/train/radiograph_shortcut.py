"""Train `radiograph-shortcut`: the same ResNet, misled by a tag that always agrees with the label."""

import torch

from backends.bundled import cards
from backends.bundled.data.radiograph import FAINT
from backends.bundled.train import films
from backends.bundled.train.fit import Recipe, ask, fit

RECIPE = Recipe("radiograph-shortcut", steps=300, rate=2e-3, decay=0.05)
POOL, BATCH = 3000, 64


def main() -> None:
    """Train, save the folder and write its card."""
    recipe, resume = ask(RECIPE)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    model = films.resnet()
    train = films.pool(3, POOL, tag="agree", strength=FAINT)
    check = films.pool(4, 500, tag="contradict", strength=FAINT)
    seconds = fit(
        model,
        lambda step: films.batch_loss(model, train, recipe.seed, step, BATCH),
        recipe,
        resume,
        lambda: f"tag against the label {films.accuracy(model, check):.3f}",
    )
    cards.publish("radiograph-shortcut", model, films.processor(), recipe, seconds)


if __name__ == "__main__":
    main()
