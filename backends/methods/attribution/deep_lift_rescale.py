"""Captum's DeepLIFT with two mends, without which it misses the change of a ResNet's answer by several percent.

Its hooks sit on tensors: where one module's output is the next one's input (ReLU, then max pooling) the multiplier
of the second never reaches the first. And its rule for max pooling writes where it should add, so that windows that
overlap lose what they share.
"""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import DeepLift
from torch import Tensor, nn
from torch.nn import functional as F


class Rescale(DeepLift):
    """DeepLIFT's rescale rule; equal to captum's where neither mend matters."""

    def _register_hooks(self, module: nn.Module, attribute_to_layer_input: bool = True) -> None:
        if self._can_register_hook(module):
            apart = module.register_forward_pre_hook(lambda _, args: tuple(a.clone() for a in args))
            self.forward_handles.append(apart)  # removed with captum's own
        super()._register_hooks(module, attribute_to_layer_input)

    def _backward_hook(self, module: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        if type(module) is not nn.MaxPool2d or not self.satisfies_attribute_criteria(module):
            return super()._backward_hook(module, grad_input, grad_output)
        given: Any = module.input
        output: Any = module.output
        del module.input, module.output
        return _pooled(module, given, output, grad_output, self.eps)


def _pooled(pool: nn.MaxPool2d, given: Tensor, output: Tensor, multiplier: Tensor, eps: float) -> Tensor:
    """Multipliers of a max pooling's input (2, C, H, W), input and baseline stacked.

    Each window's change is credited to the two places that were largest: up to the larger of both outputs in
    the input, from there on in the baseline.
    """
    shape = {k: getattr(pool, k) for k in ("kernel_size", "stride", "padding", "dilation", "ceil_mode")}
    place = F.max_pool2d(given, **shape, return_indices=True)[1]  # (2, C, h, w), flat
    here, there = output.chunk(2)
    top = torch.maximum(here, there)
    credit = torch.cat([top - there, here - top]) * multiplier
    credited = torch.zeros_like(given).flatten(2).scatter_add(2, place.flatten(2), credit.flatten(2)).view_as(given)
    change = given.chunk(2)[0] - given.chunk(2)[1]
    shares = torch.where(change.abs() < eps, 0.0, sum(credited.chunk(2)) / change)
    return torch.cat([shares, shares])
