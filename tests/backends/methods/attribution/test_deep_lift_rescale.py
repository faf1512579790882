"""DeepLIFT's two mends: completeness through a ReLU before max pooling, and where pooling windows overlap."""

from __future__ import annotations

import pytest
import torch
from captum.attr import DeepLift
from torch import nn

from backends.methods.attribution.deep_lift_rescale import Rescale

pytestmark = pytest.mark.filterwarnings("ignore:Setting forward, backward hooks:UserWarning")
POOLS = {
    "apart": {"kernel_size": 2},
    "overlapping": {"kernel_size": 3, "stride": 2, "padding": 1},
    "dilated": {"kernel_size": 2, "stride": 1, "dilation": 2},
    "partly outside": {"kernel_size": 3, "stride": 2, "ceil_mode": True},
}


def network(**pool: int) -> nn.Module:
    """Convolution, ReLU, max pooling and a sum with weights, seeded."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        layers = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(**pool), nn.Flatten())
        width = layers(torch.zeros(1, 1, 6, 6)).shape[1]
        return nn.Sequential(*layers, nn.Linear(width, 1)).eval().requires_grad_(False)


@pytest.mark.parametrize("pool", list(POOLS))
def test_attributions_sum_to_the_change_of_the_answer(pool: str) -> None:
    net = network(**POOLS[pool])
    draw = torch.Generator().manual_seed(5)
    x, baseline = torch.randn(2, 1, 1, 6, 6, generator=draw)
    change = float((net(x) - net(baseline)).detach())
    found = Rescale(net).attribute(x.clone().requires_grad_(), baseline)
    assert float(found.sum().detach()) == pytest.approx(change, abs=1e-4)
    assert abs(change) > 1e-2


def test_the_mends_matter_where_windows_overlap() -> None:
    net = network(**POOLS["overlapping"])
    draw = torch.Generator().manual_seed(5)
    x, baseline = torch.randn(2, 1, 1, 6, 6, generator=draw)
    plain = DeepLift(net).attribute(x.clone().requires_grad_(), baseline)
    assert abs(float(plain.sum().detach()) - float((net(x) - net(baseline)).detach())) > 1e-2


def test_it_equals_captums_without_pooling_and_leaves_no_hook() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1)).eval()
    x, baseline = torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(
        Rescale(net).attribute(x.clone().requires_grad_(), baseline),
        DeepLift(net).attribute(x.clone().requires_grad_(), baseline),
    )
    assert not any(m._forward_pre_hooks or m._forward_hooks or m._backward_hooks for m in net.modules())
