"""Find and replace the main tensor among what a module gets or returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def main_tensor(output: Any) -> Any:
    """Return the main tensor of a module's output (a tensor, a tuple or a ModelOutput), or None when it has none."""
    import torch

    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping):
        output = [output["last_hidden_state"]] if "last_hidden_state" in output else list(output.values())
    if isinstance(output, (tuple, list)):
        return next((part for part in output if isinstance(part, torch.Tensor)), None)
    return None


def replace_main_tensor(output: Any, tensor: Tensor) -> Any:
    """Return the same output with another main tensor."""
    return (tensor, *output[1:]) if isinstance(output, tuple) else tensor


def input_tensor(args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """Return the main tensor among a module's arguments."""
    return main_tensor([*args, kwargs.get("hidden_states"), *kwargs.values()])
