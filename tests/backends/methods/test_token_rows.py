"""Names of tokens and patches, the row that the answer is read from, and maps over the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends.hooks.recording import record
from backends.methods import token_rows
from backends.models.base import Batch, Target
from tests.conftest import TEXT, raw_for


def test_patches_are_named_by_row_and_column_after_the_special_tokens() -> None:
    batch = Batch({}, {}, grid=(2, 2), first_patch=2)
    assert token_rows.name_tokens(batch, 6) == ("[CLS]", "[special 1]", "r1 c1", "r1 c2", "r2 c1", "r2 c2")
    assert token_rows.name_tokens(Batch({}, {}, grid=(1, 2)), 2) == ("r1 c1", "r1 c2")


def test_tokens_keep_their_names_where_there_are_as_many() -> None:
    batch = Batch({}, {}, tokens=("no", "fever"))
    assert token_rows.name_tokens(batch, 2) == ("no", "fever")
    assert token_rows.name_tokens(batch, 3) == ("0", "1", "2")


def test_the_answer_is_read_from_the_last_token_the_mask_or_the_first(
    opened: Callable[[str], Any], picture: Any
) -> None:
    def weights(name: str, causal: bool, target: Target | None = None) -> list[float]:
        model = opened(name)
        batch = model.encode(raw_for(name, picture))
        length = len(batch.tokens) if batch.grid is None else batch.first_patch + batch.grid[0] * batch.grid[1]
        return token_rows.weigh_start(model, batch, length, causal, target).tolist()

    last = weights("tiny_gpt2", True)
    assert last == [0.0] * (len(last) - 1) + [1.0]
    sequence = weights("tiny_gpt2", True, Target("sequence", (3, 4), "two", "nat"))
    assert sequence == [0.0] * (len(sequence) - 2) + [1.0, 1.0]
    model = opened("tiny_bert_mlm")
    tokens = model.encode(raw_for("tiny_bert_mlm", picture)).tokens
    masked = weights("tiny_bert_mlm", False)
    assert masked.index(1.0) == tokens.index("[MASK]")
    assert sum(masked) == 1
    for name in ("tiny_bert", "tiny_vit"):
        first = weights(name, False)
        assert first == [1.0] + [0.0] * (len(first) - 1)


def test_causal_networks_are_told_by_their_first_token(opened: Callable[[str], Any]) -> None:
    for name, causal in (("tiny_gpt2", True), ("tiny_bert", False)):
        model = opened(name)
        batch = model.encode(TEXT)
        layers = tuple(model.sites.layers)
        with torch.no_grad(), record(model.module, model.sites, qk=layers) as recording:
            model.outputs(model.features(batch), batch)
        assert token_rows.check_causal(recording, layers) is causal


def test_values_of_patches_lie_over_the_image(opened: Callable[[str], Any], picture: Any) -> None:
    model = opened("tiny_vit")
    batch = model.encode({"image": picture})
    rows, columns = batch.grid
    values = torch.arange(batch.first_patch + rows * columns).float()
    result = token_rows.make_result(model, batch, values, method="own", facts={"seen": 1})
    patches = result.arrays["patches"]
    np.testing.assert_array_equal(patches.ravel(), values[batch.first_patch :].numpy())
    height, width = batch.image.shape[:2]
    wanted = np.repeat(np.repeat(patches, height // rows, 0), width // columns, 1)
    np.testing.assert_array_equal(result.arrays["attribution"], wanted)
    assert result.axes["attribution"] == ("height", "width")
    assert result.facts["seen"] == 1


def test_values_of_tokens_stay_as_they_are(opened: Callable[[str], Any]) -> None:
    model = opened("tiny_bert")
    batch = model.encode(TEXT)
    values = torch.arange(len(batch.tokens)).float()
    result = token_rows.make_result(model, batch, values, method="own")
    np.testing.assert_array_equal(result.arrays["attribution"], values.numpy())
    assert result.axes["attribution"] == ("token",)
    assert result.labels["token"] == batch.tokens
