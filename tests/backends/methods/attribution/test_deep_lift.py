"""DeepLIFT: exact where its rules hold, refused where they do not."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from captum import attr
from torch import nn

import backends
from tests.backends.methods import cases
from tests.conftest import TEXT


class Bent(nn.Module):
    """The linear network with ReLUs between; `shared` uses one ReLU twice."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.linear, self.head, self.more, self.relu = cases.Linear(), nn.Linear(2, 4), nn.Linear(4, 2), nn.ReLU()
        self.second = self.relu if shared else nn.ReLU()
        self.idle = nn.ReLU()
        self.config = self.linear.config

    def forward(self, pixel_values):
        hidden = self.relu(self.linear(pixel_values).logits)
        self.idle(hidden)  # what no gradient reaches, captum leaves its tensors on
        return SimpleNamespace(logits=self.more(self.second(self.head(hidden))))


def bent(shared: bool):
    import torch

    model = cases.linear()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model.module = Bent(shared).eval().requires_grad_(False)
    return model


def test_its_parts_add_up_and_equal_captum():
    model = bent(shared=False)
    result = backends.run(model, "deep_lift", cases.image(), baseline="zero")
    assert result.facts["completeness_gap"] < 1e-4
    direct = cases.scoring(model, cases.image())
    with pytest.warns(UserWarning, match="hooks"):
        expected = attr.DeepLift(direct).attribute(direct.features, direct.baseline("zero"))
    np.testing.assert_allclose(result.arrays["attribution"], direct.fold(expected), atol=1e-6)


@pytest.mark.parametrize("baseline", ["blur", "mean", "zero"])
def test_its_parts_add_up_through_pooling_with_overlapping_windows(opened, picture, baseline):
    model = opened("tiny_resnet")  # captum misses 5 to 7 % here: ReLU, then 3 × 3 max pooling with stride 2
    facts = backends.run(model, "deep_lift", picture, baseline=baseline).facts
    assert facts["completeness_gap"] < 1e-4


def test_a_module_used_twice_is_refused_and_leaves_nothing_behind():
    model = bent(shared=True)
    with pytest.raises(backends.Refused, match="uses one activation module at several places"):
        backends.run(model, "deep_lift", cases.image())
    left = [n for m in model.module.modules() for n in ("input", "output") if n in m.__dict__]
    assert left == []
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in model.module.modules())


def test_parts_that_do_not_add_up_are_refused(opened):
    with pytest.raises(backends.Refused, match=r"miss the change of the answer by \d+% on .*at most 5% is valid"):
        backends.run(opened("tiny_bert"), "deep_lift", TEXT)
    assert re.search("DeepLIFT", backends.registry.method("deep_lift").title)
