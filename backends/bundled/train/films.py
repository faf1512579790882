"""What the three radiograph models share: pixels, preprocessing, networks and the loss."""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import PreTrainedModel, ResNetConfig, ResNetForImageClassification, ViTImageProcessorPil

from backends.bundled.data.radiograph import LABELS, SIZE, Phantoms, phantoms

ID2LABEL = dict(enumerate(LABELS))
LABEL2ID = {label: index for index, label in enumerate(LABELS)}


def pixels(images: np.ndarray) -> torch.Tensor:
    """(image, row, column) uint8 to (image, 3, row, column) in [-1, 1], as the processor does."""
    grey = torch.from_numpy(images).float() / 127.5 - 1
    return grey[:, None].expand(-1, 3, -1, -1)


def processor() -> ViTImageProcessorPil:
    """The preprocessing of all three: 64×64, three equal channels, grey levels to [-1, 1]."""
    half = [0.5, 0.5, 0.5]
    size = {"height": SIZE, "width": SIZE}
    return ViTImageProcessorPil(size=size, image_mean=half, image_std=half, do_convert_rgb=True)


def resnet() -> ResNetForImageClassification:
    """A residual network of basic blocks whose last stage is 8×8: coarser ones point worse (Grad-CAM)."""
    config = ResNetConfig(
        num_channels=3, embedding_size=16, hidden_sizes=[32, 64], depths=[1, 1], layer_type="basic",
        downsample_in_first_stage=False, id2label=ID2LABEL, label2id=LABEL2ID,
    )  # fmt: skip
    return ResNetForImageClassification(config)


def shifted(images: np.ndarray, rng: np.random.Generator, most: int = 3) -> np.ndarray:
    """Move each image by up to `most` pixels, its border repeated."""
    padded = np.pad(images, ((0, 0), (most, most), (most, most)), mode="edge")
    rows, columns = rng.integers(0, 2 * most + 1, (2, len(images), 1)) + np.arange(SIZE)
    return padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]


def pool(seed: int, count: int, chunk: int = 500, **options) -> Phantoms:
    """Make many phantoms, `chunk` at a time."""
    parts = [phantoms([seed, start], min(chunk, count - start), **options) for start in range(0, count, chunk)]
    fields = ("images", "labels", "lesions", "tags", "clean")
    return Phantoms(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def batch_loss(model: PreTrainedModel, train: Phantoms, seed: int, step: int, size: int) -> torch.Tensor:
    """Cross-entropy (nat) of a batch drawn from `train`, moved a little and exposed differently."""
    rng = np.random.default_rng([seed, step])
    chosen = rng.integers(0, len(train.labels), size)
    inputs = pixels(shifted(train.images[chosen], rng))
    gain, lift = torch.from_numpy(rng.uniform(-0.1, 0.1, (2, size, 1, 1, 1)).astype(np.float32))
    logits = model(pixel_values=inputs * (1 + gain) + lift).logits
    return F.cross_entropy(logits, torch.from_numpy(train.labels[chosen]))


@torch.no_grad()
def accuracy(model: PreTrainedModel, test: Phantoms, size: int = 250) -> float:
    """Share of phantoms that the model labels rightly."""
    model.eval()
    parts = [pixels(test.images[i : i + size]) for i in range(0, len(test.labels), size)]
    said = torch.cat([model(pixel_values=part).logits.argmax(-1) for part in parts])
    return float((said.numpy() == test.labels).mean())
