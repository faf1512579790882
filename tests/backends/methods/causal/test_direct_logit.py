"""The linear reading of a logit: norms held at their scale, parts that add up, and a norm that is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backends.errors import Refused
from backends.hooks.recording import record
from backends.methods.causal import direct_logit
from tests.conftest import TEXT


class Rms(torch.nn.Module):
    """A root-mean-square norm, as Llama has it."""

    def __init__(self, gain: torch.Tensor) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()


@pytest.mark.parametrize("width", [6, 7])
@pytest.mark.parametrize("centred", [True, False])
def test_a_norm_is_found_by_what_it_does(width: int, centred: bool) -> None:
    draw = torch.Generator().manual_seed(1)
    gain, shift, stream = (torch.randn(shape, generator=draw) for shape in (width, width, (3, width)))
    norm: Any = Rms(gain)
    if centred:
        norm = torch.nn.LayerNorm(width)
        norm.weight.data, norm.bias.data = gain, shift
    with torch.no_grad():
        found_gain, found_shift, found_centred, scale = direct_logit.freeze_norm(norm, stream, "a net")
        wanted = norm(stream).double()
    assert found_centred == centred
    rest = stream.double() - stream.double().mean(-1, keepdim=True) if centred else stream.double()
    torch.testing.assert_close(scale[:, None] * found_gain * rest + found_shift, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found_shift, shift.double() * centred, rtol=1e-4, atol=1e-4)


def test_a_norm_that_is_no_gain_is_refused() -> None:
    with pytest.raises(Refused, match="the final norm of a net is no gain on a scaled state"):
        direct_logit.freeze_norm(torch.nn.Tanh(), torch.linspace(-3, 3, 12).view(2, 6), "a net")


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama"])
@pytest.mark.parametrize("target", ["pain", ["pain", "fever"]])
def test_the_reading_of_the_last_state_is_the_logit(name: str, target: Any, opened: Any) -> None:
    model = opened(name)
    batch = model.encode(TEXT)
    aim, sites = model.target(target, batch), model.stack("")
    with torch.no_grad(), record(model.module, model.sites, residual=True) as recording:
        logits = model.outputs(model.features(batch), batch)[0].double()
    stream = recording.residual[-1][0]
    with torch.no_grad():
        reading = direct_logit.make_reading(model, sites, stream, aim)
    wanted = logits[aim.ids[0]] - (logits[aim.ids[1]] if aim.kind == "pair" else 0)
    assert float(reading.read(stream)[-1] + reading.offset) == pytest.approx(float(wanted), abs=1e-4)
    one, other = stream * 0.25, stream * 0.75  # linear: parts of the stream add up
    torch.testing.assert_close(reading.read(one) + reading.read(other), reading.read(stream))
    own = direct_logit.compute_logits(model, sites, stream, aim)
    assert float(own[-1]) == pytest.approx(float(wanted), abs=1e-4)


def test_what_a_stack_does_not_show_is_refused(opened: Any) -> None:
    model = opened("tiny_gpt2")
    direct_logit.require(model, model.stack(""), "residual")
    with pytest.raises(Refused, match="does not show wings: it was not found"):
        direct_logit.require(model, model.stack(""), "residual", "wings")
