"""The grid of heads and one head: its map, its table and its note."""

from __future__ import annotations

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from tests.viz.pages.attention.cases import KEY, attention, put
from tests.viz.samples import NASTY
from viz.pages.attention import attention_view as shown
from viz.pages.attention import heads


def test_induction_is_not_offered_where_nothing_repeats() -> None:
    result = attention(("[CLS]", "a", "b", "c"), induction=put({}))
    assert "induction" not in heads.offered(result)
    assert "nothing an induction head could show" in str(shown.ranking(result))


def test_grid_data_is_plain_json_with_scales_and_units() -> None:
    data = shown.grid_data(KEY, attention(entropy=put({(0, 0): np.nan, (1, 1): 2.0}, fill=0.5)))
    entropy = json.loads(json.dumps(data, allow_nan=False))["statistics"]["entropy"]
    assert entropy["values"][0][0] is None
    assert (entropy["low"], entropy["high"]) == (0.0, 2.0)
    assert entropy["words"] == "entropy (nat), one scale for all heads"
    assert data["sprite"] == f"/maps/{KEY}/overview/sprite?cell=5&sqrt=1"


def test_the_map_hides_what_is_said_to_be_hidden() -> None:
    result = attention()
    every = shown.Head.of(KEY, result, 1, 2, sink=False)
    figure = _figure(every)
    assert np.allclose(figure.data[0].z, result.arrays["pattern"][1, 2])
    assert figure.layout.coloraxis.colorbar.title.text == "attention weight (probability)"
    assert every.note() == ""
    sinkless = shown.Head.of(KEY, result, 1, 2)
    assert np.isnan(_figure(sinkless).data[0].z[:, 0]).all()
    share = result.arrays["pattern"][1, 2, :, 0].mean()
    assert sinkless.note() == (
        f"Hidden: the first token, “[CLS]”, which takes {share:.0%} of this head's attention. The rest is not rescaled."
    )
    plain = shown.Head.of(KEY, result, 1, 2, special=False)
    kept = np.array(_figure(plain).data[0].z)
    assert np.allclose(kept, result.arrays["pattern"][1, 2, 1:4, 1:4])
    assert "special tokens ([CLS], [SEP])" in plain.note()


def test_the_mean_over_heads_is_their_mean() -> None:
    result = attention()
    head = shown.Head.of(KEY, result, 1, heads.MEAN, sink=False)
    assert np.allclose(_figure(head).data[0].z, result.arrays["pattern"][1].mean(0), atol=1e-6)
    assert head.name == "Layer 1, mean over its heads"
    assert "at=1,mean" in head.view()["address"]


def _figure(head: shown.Head) -> go.Figure:
    drawn, spec = head.map()
    assert spec is None
    return drawn.children[0].figure


def test_the_table_lists_the_strongest_pairs() -> None:
    result = attention()
    rows = shown.Head.of(KEY, result, 0, 1, sink=False).table().children[2].children
    pattern = result.arrays["pattern"][0, 1]
    q, k = np.unravel_index(pattern.argmax(), pattern.shape)
    first = [cell.children for cell in rows[0].children]
    tokens = result.labels["key"]
    assert first == [f"{tokens[q]} ({q})", f"{tokens[k]} ({k})", f"{pattern.max():.4f}"]
    hidden = shown.Head.of(KEY, result, 0, 1).table().children[2].children
    assert not any(row.children[1].children.endswith("(0)") for row in hidden)


def test_tokens_are_never_markup() -> None:
    result = attention(("[CLS]", *NASTY))
    head = shown.Head.of(KEY, result, 0, 0)
    text = _figure(head).to_json()
    assert "<img" not in text
    assert "<b>" not in text
    assert head.view()["tokens"][2] == NASTY[1]  # text for the browser, which writes it with textContent


def test_images_bring_their_patches_and_their_scale() -> None:
    tokens = ("[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2")
    result = attention(tokens, grid=(2, 2))
    picture = shown.Head.of(KEY, result, 1, 0).view()["picture"]
    assert picture["grid"] == [2, 2]
    assert picture["most"] == pytest.approx(float(result.arrays["pattern"][1, 0, 1:, 1:].max()))
    assert picture["address"] == f"/maps/{KEY}/image"
