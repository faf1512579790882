"""Paths from heads to the answer and to other heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends.errors import Refused
from tests.backends.methods.causal.sweeps import PAIR


def test_a_path_from_every_head_at_once_is_the_head_itself_in_the_last_layer(names: Any, ioi: dict[str, Any]) -> None:
    direct = backends.run(names, "path_patching", ioi, PAIR)
    heads = backends.run(names, "activation_patching", ioi, PAIR, site="heads")
    np.testing.assert_allclose(
        direct.arrays["effect"][-1], heads.arrays["effect"][-1], atol=1e-4
    )  # nothing comes after
    for through in ("all", "query", "key", "value"):
        received = backends.run(names, "path_patching", ioi, PAIR, receivers="2.3", through=through, mlps="held")
        assert not received.arrays["effect"][2].any()
    with pytest.raises(Refused, match="heads of the first layer receive nothing"):
        backends.run(names, "path_patching", ioi, PAIR, receivers="0.1")
