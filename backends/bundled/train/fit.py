"""The training loop that the five scripts share: seeded, repeatable, resumable."""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

CHECKPOINTS = Path(__file__).parents[1] / ".training"


@dataclass(frozen=True)
class Recipe:
    """How a model is trained; `steps` can be lowered on the command line for a trial.

    `hold` is the share of the steps that keep the full rate before it falls; 1 never lets it fall.
    """

    name: str
    steps: int
    rate: float
    warmup: int = 100
    decay: float = 0.01
    seed: int = 0
    every: int = 100
    hold: float = 0.0


def ask(recipe: Recipe) -> tuple[Recipe, bool]:
    """Read a training script's command line: the recipe, and whether to go on from the checkpoint."""
    parser = argparse.ArgumentParser(description=f"Train bundled/{recipe.name}.")
    parser.add_argument("--steps", type=int, default=recipe.steps)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    options = parser.parse_args()
    return replace(recipe, steps=options.steps), options.resume


def rate_at(step: int, recipe: Recipe) -> float:
    """Learning rate: linear warm-up, a stretch at the full rate where asked for, a cosine down to a twentieth."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    held = max(recipe.warmup, recipe.hold * recipe.steps)
    done = max(0.0, step - held) / max(1, recipe.steps - held)
    return recipe.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def optimizer_of(model: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW that decays matrices only, not biases and norms."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))


def checkpoint_path(name: str) -> Path:
    """Where a model's checkpoint lies; the folder keeps itself out of git."""
    CHECKPOINTS.mkdir(exist_ok=True)
    (CHECKPOINTS / ".gitignore").write_text("*\n")
    return CHECKPOINTS / f"{name}.pt"


def fit(
    model: torch.nn.Module,
    loss_at: Callable[[int], torch.Tensor],
    recipe: Recipe,
    resume: bool = False,
    watch: Callable[[], str] = lambda: "",
) -> float:
    """Minimise `loss_at(step)` and return the seconds it took.

    `loss_at` draws its batch from the step's number alone, so a run that resumes sees the
    batches it would have seen. `watch` adds figures to the log line of every `recipe.every` steps.
    """
    optimizer, path, first, before = optimizer_of(model, recipe), checkpoint_path(recipe.name), 0, 0.0
    if resume and path.exists():
        saved = torch.load(path, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first, before = saved["step"], saved["seconds"]
    start, seen = time.perf_counter(), []
    for step in range(first, recipe.steps):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, recipe)
        loss = loss_at(step)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen.append(loss.item())
        if (step + 1) % recipe.every == 0 or step + 1 == recipe.steps:
            model.eval()
            seconds = before + time.perf_counter() - start
            with torch.no_grad():
                extra = watch()
            mean = sum(seen) / len(seen)
            print(f"{recipe.name} {step + 1}/{recipe.steps} loss {mean:.4f} {extra} {seconds:.0f}s", flush=True)
            seen.clear()
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state | {"step": step + 1, "seconds": seconds}, path)
    model.eval()
    return before + time.perf_counter() - start
