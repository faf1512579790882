"""States taken over from the clean run: what restores, what is skipped, and what is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from backends.errors import Cancelled, Refused
from backends.methods.base import no_step
from tests import families
from tests.backends.methods.causal.sweeps import CLOSE, IOI, PAIR, both
from tests.conftest import TEXT


def test_a_network_that_cannot_be_replayed_is_swept_by_whole_forwards(fresh: Any) -> None:
    import dataclasses

    model = fresh("tiny_gpt2")
    raw = {"clean": TEXT, "corrupted": TEXT.replace("fever", "chart")}
    fast = backends.run(model, "activation_patching", raw)
    model.sites = dataclasses.replace(model.sites, checks={**model.sites.checks, "replay_gap": 1.0})
    slow = backends.run(model, "activation_patching", raw)
    assert fast.facts["exact_replay"]
    assert not slow.facts["exact_replay"]
    np.testing.assert_allclose(fast.arrays["effect"], slow.arrays["effect"], atol=1e-5)


def test_cells_that_are_the_same_in_both_runs_are_zero_without_a_forward(opened: Any) -> None:
    model = opened("tiny_gpt2")
    result = backends.run(model, "activation_patching", {"clean": TEXT, "corrupted": TEXT.replace("pain", "chart")})
    at = model.encode(TEXT).tokens.index("pain")
    assert result.facts["skipped"] >= at * 3
    assert not result.arrays["effect"][:, :at].any()
    assert result.arrays["effect"][0, at] == pytest.approx(1, abs=CLOSE)


def test_what_there_is_so_far_can_be_seen(opened: Any) -> None:
    previews: list[Any] = []

    class Watching:
        def __call__(self, fraction: float) -> None:
            pass

        def tell(self, fraction: float, preview: Any) -> None:
            previews.append((fraction, preview()))

    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}
    result = backends.run(opened("tiny_gpt2"), "activation_patching", raw, step=Watching())
    fraction, last = previews[-1]
    assert fraction == 1.0
    np.testing.assert_allclose(np.array(last["effect"], float), result.arrays["effect"], atol=1e-5)


def test_patching_the_bundled_names_finds_the_second_subject(names: Any, ioi: dict[str, Any]) -> None:
    effect = backends.run(names, "activation_patching", ioi, PAIR).arrays["effect"]
    tokens = names.encode(IOI).tokens
    second = len(tokens) - 1 - tokens[::-1].index("John")
    assert effect[0, second] == pytest.approx(1, abs=1e-4)
    assert effect[-1, -1] > 0.9
    rest = np.delete(effect, [second, len(tokens) - 1], 1)
    assert np.abs(rest).max() < 0.1


def test_nothing_is_left_on_the_blocks(fresh: Any) -> None:
    model = fresh("tiny_gpt2")
    before = {path: sorted(vars(sub)) for path, sub in model.module.named_modules()}
    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}

    def step(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        backends.run(model, "activation_patching", raw, step=step)
    backends.run(model, "activation_patching", raw, step=no_step)
    assert {path: sorted(vars(sub)) for path, sub in model.module.named_modules()} == before


def test_folders_and_parts(family: Any, tmp_path: Path) -> None:
    model = family("T5")
    raw = {"clean": families.raw("T5"), "corrupted": {"text": families.raw("T5")["text"].replace("fever", "chart")}}
    decoder = backends.run(model, "activation_patching", raw, part="decoder", site="heads")
    assert decoder.arrays["effect"].shape == (3, 4)
    with pytest.raises(Refused, match="has inputs of its own"):
        backends.run(family("CLIP"), "steering", both("CLIP", family("CLIP")), part="text")
