"""Train `radiograph`: a small ResNet that finds the nodule whatever the corner tag says."""

import torch

from backends.bundled import cards
from backends.bundled.train import films
from backends.bundled.train.fit import Recipe, ask, fit

RECIPE = Recipe("radiograph", steps=900, rate=2e-3, decay=0.05)
POOL, BATCH = 6000, 64


def main() -> None:
    """Train, save the folder and write its card."""
    recipe, resume = ask(RECIPE)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    model = films.resnet()
    train, check = films.pool(1, POOL, tag="random"), films.pool(2, 500, tag="contradict")
    seconds = fit(
        model,
        lambda step: films.batch_loss(model, train, recipe.seed, step, BATCH),
        recipe,
        resume,
        lambda: f"tag against the label {films.accuracy(model, check):.3f}",
    )
    cards.publish("radiograph", model, films.processor(), recipe, seconds)


if __name__ == "__main__":
    main()
