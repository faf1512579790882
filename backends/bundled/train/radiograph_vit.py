"""Train `radiograph-vit`: a small vision transformer on the task of `radiograph`."""

import torch
from transformers import ViTConfig, ViTForImageClassification

from backends.bundled import cards
from backends.bundled.data.radiograph import SIZE
from backends.bundled.train import films
from backends.bundled.train.fit import Recipe, ask, fit

RECIPE = Recipe("radiograph-vit", steps=2400, rate=1e-3, warmup=200, decay=0.05)
POOL, BATCH = 12000, 64


def build() -> ViTForImageClassification:
    """Make the untrained network: 8×8 patches of 8×8 pixels, four layers of four heads."""
    config = ViTConfig(
        image_size=SIZE, patch_size=8, hidden_size=64, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=192, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.08,
        id2label=films.ID2LABEL, label2id=films.LABEL2ID,
    )  # fmt: skip
    return ViTForImageClassification(config)


def main() -> None:
    """Train, save the folder and write its card."""
    recipe, resume = ask(RECIPE)
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    model = build()
    train, check = films.pool(5, POOL, tag="random"), films.pool(6, 500, tag="contradict")
    seconds = fit(
        model,
        lambda step: films.batch_loss(model, train, recipe.seed, step, BATCH),
        recipe,
        resume,
        lambda: f"tag against the label {films.accuracy(model, check):.3f}",
    )
    cards.publish("radiograph-vit", model, films.processor(), recipe, seconds)


if __name__ == "__main__":
    main()
