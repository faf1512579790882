"""Networks in bfloat16: every method runs, and its result is float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from tests.conftest import raw_for

NAMES = ("tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_bert_mlm", "tiny_vit", "tiny_resnet")


@pytest.fixture(scope="module")
def halved(request: pytest.FixtureRequest) -> Any:
    """Opens a tiny model in bfloat16, once."""
    there: dict[str, Any] = {}

    def get(name: str, dtype: str = "bfloat16") -> Any:
        if (name, dtype) not in there:
            there[name, dtype] = backends.open_model(f"{request.getfixturevalue(name)}?dtype={dtype}")
        return there[name, dtype]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_what_a_network_offers_does_not_hang_on_its_dtype(halved, opened, name) -> None:
    import torch

    model, whole = halved(name), opened(name)
    assert model.dtype == torch.bfloat16
    assert model.offers == whole.offers
    assert model.layers() == whole.layers()
    assert model.name.endswith("?dtype=bfloat16")
    assert model.revision == f"{whole.revision}?dtype=bfloat16"


@pytest.mark.parametrize("method", registry.entries("methods"))
@pytest.mark.parametrize("name", NAMES)
def test_every_method_gives_float32_in_bfloat16(halved, picture, name, method) -> None:
    model, entry = halved(name), registry.method(method)
    if not entry.needs <= model.offers:
        pytest.skip("not offered")
    try:
        result = backends.run(model, method, raw_for(name, picture), **getattr(entry, "cheap", {}))
    except backends.Refused:  # not for its dtype
        whole = backends.open_model(model.name.partition("?")[0])
        with pytest.raises(backends.Refused):
            backends.run(whole, method, raw_for(name, picture), **getattr(entry, "cheap", {}))
        return
    for what, array in result.arrays.items():
        assert array.dtype.kind != "f" or array.dtype == np.float32, what
        assert array.dtype.kind != "f" or np.isfinite(array).all(), what


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_the_float32_one_up_to_rounding(halved, opened, picture, name) -> None:
    found = [
        {c.index: c.probability for c in model.predict(model.encode(raw_for(name, picture)), most=100)}
        for model in (halved(name), opened(name))
    ]
    assert max(abs(found[0][i] - p) for i, p in found[1].items()) < 0.1


def test_float16_opens_too(halved) -> None:
    model = halved("tiny_gpt2", "float16")
    result = backends.run(model, "saliency", "no fever but severe chest pain")
    assert result.arrays["attribution"].dtype == np.float32
