"""What each part of the residual stream adds to the logits, with the final norm held at the scale it has here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends.errors import Refused
from backends.hooks.sites import unembed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backends.hooks.recording import Recording
    from backends.models.base import Model, Target

MOST_GAP = 1e-3
"""The largest relative error with which a norm counts as linear at a fixed scale, or heads as adding up."""


@dataclass(frozen=True)
class Direct:
    """A linear reading (T,) of anything that is added to the stream: `read(part)` of (T, d) is its share of the logit.

    `offset` is what the norm's and the unembedding's biases add whatever the stream holds.
    """

    direction: Tensor
    scale: Tensor
    offset: float

    def read(self, part: Tensor) -> Tensor:
        """The logits (T,) that a part (T, d) adds, float64."""
        return self.scale * (part.double() @ self.direction)


def make_reading(model: Model, sites: Any, stream: Tensor, target: Target) -> Direct:
    """The reading of the target's logit (of a pair: the difference) from the last state (T, d). Raises `Refused`."""
    import torch

    module = model.module
    head = module.get_submodule(sites.unembedding)
    rows, bias = head.weight.double(), getattr(head, "bias", None)
    ids = target.ids[: 2 if target.kind == "pair" else 1]
    signs = (1.0, -1.0)[: len(ids)]
    toward: Tensor = torch.stack([sign * rows[i] for sign, i in zip(signs, ids, strict=True)]).sum(0) * sites.scale
    offset = sum(sign * float(bias[i]) for sign, i in zip(signs, ids, strict=True)) if bias is not None else 0.0
    if not sites.final_norm:
        return Direct(toward, torch.ones(len(stream), dtype=torch.double, device=stream.device), offset)
    gain, shift, centred, scale = freeze_norm(module.get_submodule(sites.final_norm), stream, model.name)
    direction = gain * toward
    direction = direction - direction.mean() if centred else direction  # (c - mean c) · g = c · (g - mean g)
    return Direct(direction, scale, offset + float(shift @ toward))


def freeze_norm(norm: nn.Module, stream: Tensor, name: str) -> tuple[Tensor, Tensor, bool, Tensor]:
    """Gain (d,), shift (d,), whether the mean is taken off, and scale (T,) of a norm.

    It is scale · gain · (x - mean) + shift. Found by what it does to a vector and its opposite, so that any layer
    norm or root-mean-square norm will do.
    """
    import torch

    width = stream.shape[-1]
    signs = torch.ones(width, device=stream.device, dtype=stream.dtype)
    signs[1::2] = -1
    if width % 2:
        signs[-3:] = torch.tensor([1.0, 1.0, -2.0])
    plus, minus, normed = (norm(x).double() for x in (signs[None], -signs[None], stream))
    shift = (plus + minus)[0] / 2
    gain = (plus - minus)[0] / 2 / signs.double()
    found = []
    for centred in (False, True):
        x = stream.double()
        rest = gain * (x - x.mean(-1, keepdim=True) if centred else x)
        scale = ((normed - shift) * rest).sum(-1) / (rest * rest).sum(-1).clamp(min=1e-30)
        gap = float((scale[:, None] * rest + shift - normed).abs().max() / normed.abs().max())
        found.append((gap, centred, scale))
    gap, centred, scale = min(found, key=lambda one: one[0])
    if gap > max(MOST_GAP, 8 * torch.finfo(stream.dtype).eps):
        raise Refused(
            f"the final norm of {name} is no gain on a scaled state (it misses by {gap:.1e}), so its logits are not "
            "shared out among the parts"
        )
    return gain, shift, centred, scale


def split_heads(
    model: Model, sites: Any, layer: int, recording: Recording, reading: Direct
) -> tuple[Tensor, Tensor] | None:
    """The logits that each head (H, T) and the projection's bias (T,) add; None where heads do not simply add up."""
    import torch

    projection = model.module.get_submodule(sites.projection[layer])
    z = recording.z[layer][0]  # (T, H, dh)
    with torch.enable_grad():
        none = torch.zeros_like(z[:1].flatten(1)).requires_grad_()
        out = projection(none)
        (toward,) = torch.autograd.grad((out.double() * reading.direction).sum(), none)
    heads = reading.scale * (z.double() * toward.view(z.shape[1:]).double()).sum(-1).T  # (H, T)
    bias = reading.read(out.detach().expand(len(z), -1))
    whole = reading.read(recording.attention_out[layer][0])
    gap = float((heads.sum(0) + bias - whole).abs().max() / whole.abs().max().clamp(min=1e-12))
    return (heads, bias) if gap <= max(MOST_GAP, 8 * torch.finfo(z.dtype).eps) else None


def read_components(
    model: Model, sites: Any, recording: Recording, reading: Direct, by: str
) -> tuple[list[str], Tensor, bool]:
    """Names of the parts, the logits (component, T) they add, and whether heads could be told apart.

    `by`: head, part (attention and MLP) or layer.
    """
    import torch

    names, rows, split = ["embedding"], [reading.read(recording.residual[0][0])], True
    for layer in range(len(sites.block)):
        own: list[tuple[str, Tensor]] = []
        heads = split_heads(model, sites, layer, recording, reading) if by == "head" and layer in recording.z else None
        if heads is not None:
            own += [(f"head {layer}.{h}", row) for h, row in enumerate(heads[0])]
            own += [(f"attention bias {layer}", heads[1])]
        elif layer in recording.attention_out:
            split = split and by != "head"
            own.append((f"attention {layer}", reading.read(recording.attention_out[layer][0])))
        if layer in recording.cross_out:
            own.append((f"cross {layer}", reading.read(recording.cross_out[layer][0])))
        own.append((f"mlp {layer}", reading.read(recording.mlp_out[layer][0])))
        if by == "layer":
            own = [(f"layer {layer}", torch.stack([row for _, row in own]).sum(0))]
        names += [name for name, _ in own]
        rows += [row for _, row in own]
    rows.append(torch.full_like(rows[0], reading.offset))
    return [*names, "biases"], torch.stack(rows), split


def compute_logits(model: Model, sites: Any, states: Tensor, target: Target) -> Tensor:
    """The target's logit (…,) of states (…, d) before any soft cap, by the network's own norm and unembedding."""
    all_ = unembed(model.module, dataclasses.replace(sites, cap=None), states).double()
    first = all_[..., target.ids[0]]
    return first - all_[..., target.ids[1]] if target.kind == "pair" else first


def require(model: Model, sites: Any, *needs: str) -> None:
    """Raises `Refused` where the stack that the answer is read from does not give what is needed."""
    for need in needs:
        if need not in sites.offers:
            raise Refused(f"{model.name} does not show {need}: {sites.withdrawn.get(need, 'it was not found')}")
