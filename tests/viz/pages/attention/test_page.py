"""The attention page: its words, its rankings, its requests and its link, as plain functions."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from dash import Dash

from backends.requests import key_of
from backends.results import Result
from tests.viz.samples import NASTY
from viz.pages.attention import attention_link as link
from viz.pages.attention import attention_view as shown
from viz.pages.attention import heads, page
from viz.pages.attention.long_text import LongHead

KEY = "a" * 64
LM = {
    "name": "bundled/names",
    "title": "Names",
    "revision": "1",
    "task": "causal-lm",
    "offers": ["attention", "tokens"],
    "withdrawn": {},
}
CNN = {**LM, "name": "bundled/radiograph", "title": "Radiograph", "offers": ["pixels", "channels"]}
STATISTICS = ("entropy", "distance", "to_first", "previous", "induction")


def attention(
    tokens: tuple[str, ...] = ("[CLS]", "no", "fever", "no", "[SEP]"),
    part: tuple[int, int] | None = None,
    grid: tuple[int, int] | None = None,
    **statistics: Any,
) -> Result:
    """A result of two layers with three heads; `part` keeps one head's pattern, as for long texts."""
    size = len(tokens)
    raw = np.random.default_rng(3).random((2, 3, size, size)).astype(np.float32) ** 3
    pattern = raw / raw.sum(-1, keepdims=True)
    layers, names = ("0", "1"), ("0", "1", "2")
    if part:
        pattern = pattern[part[0] : part[0] + 1, part[1] : part[1] + 1]
    every = ("all_layer", "all_head")
    numbers = {n: np.full((2, 3), 0.1, np.float32) for n in STATISTICS} | statistics
    arrays = {"pattern": pattern, **numbers, "overview": raw, "span": _spans(tokens)}
    axes = {"pattern": ("layer", "head", "query", "key"), **dict.fromkeys(numbers, every)}
    return Result(
        method="attention",
        arrays=arrays,
        axes=axes | {"overview": (*every, "row", "column"), "span": ("token", "edge")},
        labels={
            "layer": (str(part[0]),) if part else layers,
            "head": (str(part[1]),) if part else names,
            "query": tokens,
            "key": tokens,
            "all_layer": layers,
            "all_head": names,
        },
        unit="probability",
        facts={
            "tokens": size,
            "distance_unit": "patch" if grid else "token",
            **({"grid": list(grid), "first_patch": 1} if grid else {}),
        },
        request={"model": "bundled/names"},
    )


def _spans(tokens: tuple[str, ...]) -> np.ndarray:
    return np.array([(0, 0) if t.startswith("[") else (2 * i, 2 * i + 1) for i, t in enumerate(tokens)], np.int32)


def put(values: dict[tuple[int, int], float], fill: float = 0.0) -> np.ndarray:
    """A statistic with these values at (layer, head)."""
    array = np.full((2, 3), fill, np.float32)
    for place, value in values.items():
        array[place] = value
    return array


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"previous": 0.91}, "Head 1.2 looks mostly at the previous token (0.91 of its attention)."),
        ({"induction": 0.8}, "Head 1.2 acts as an induction head here: it looks mostly at the token that followed"),
        ({"induction": 0.8}, "(0.80 of its attention where there is one)."),
        ({"to_first": 0.3}, "looks partly at “no” (0.30 of its attention)."),
        (
            {"to_first": 0.6, "itself": 0.3},
            "looks mostly at “no” (0.60 of its attention), and at the very token it is at",
        ),
        ({"entropy": float(np.log(12)), "distance": 3.0}, "evenly over 12.0 tokens, 3.0 tokens away on average."),
        ({"entropy": 0.1}, "is focused: each token looks at about 1.1 tokens."),
    ],
)
def test_a_head_in_words(found: dict[str, float], words: str) -> None:
    assert words in heads.sentence("Head 1.2", found, "“no”")


def test_words_speak_of_patches_for_images() -> None:
    assert "over 5.0 patches, 2.0 patches away" in heads.sentence(
        "Head 0.0", {"entropy": float(np.log(5)), "distance": 2.0}, "[CLS]", "patch"
    )


def test_ranking_names_the_extreme_heads_first_and_skips_what_is_not_finite() -> None:
    values = put({(1, 2): 0.9, (0, 1): 0.5, (0, 0): np.nan}, fill=0.1)
    assert heads.ranking(values, most=2) == [(1, 2, pytest.approx(0.9)), (0, 1, pytest.approx(0.5))]
    assert heads.ranking(values, highest=False, most=1)[0][:2] == (0, 2)
    assert len(heads.ranking(values, most=99)) == 5


def test_the_first_head_shown_is_the_induction_head() -> None:
    result = attention(induction=put({(1, 1): 0.8}), previous=put({(0, 2): 0.6}))
    assert heads.striking(result) == (1, 1)
    assert link.picked(result, None) == {"layer": 1, "head": 1, "model": "bundled/names"}


def test_induction_is_not_offered_where_nothing_repeats() -> None:
    result = attention(("[CLS]", "a", "b", "c"), induction=put({}))
    assert "induction" not in heads.offered(result)
    assert "nothing an induction head could show" in str(shown.ranking(result))


def test_images_have_no_previous_token() -> None:
    tokens = ("[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2")
    result = attention(tokens, grid=(2, 2), entropy=put({(1, 2): 0.2}, fill=1.0))
    assert heads.offered(result) == ["to_first", "entropy", "distance"]
    assert heads.striking(result) == (1, 2)
    assert heads.unit_of(result, "distance") == "patches"


def test_a_link_restores_the_head_by_name() -> None:
    result = attention(induction=put({(1, 1): 0.8}))
    model = {"model": "bundled/names"}
    assert link.picked(result, {"link": {"layer": "0", "head": "2"}}) == {"layer": 0, "head": 2, **model}
    assert link.picked(result, {"link": {"layer": "0", "head": "mean"}}) == {"layer": 0, "head": "mean", **model}
    assert link.picked(result, {"link": {"layer": "1", "head": ""}}) == {"layer": 1, "head": 0, **model}
    assert link.unknown_head(result, {"link": {"layer": "0", "head": "2"}}) == ""


def test_a_wrong_head_in_a_link_is_said() -> None:
    result = attention(induction=put({(1, 1): 0.8}))
    wrong = {"link": {"layer": "7", "head": "<b>"}}
    assert link.picked(result, wrong) == {"layer": 1, "head": 1, "model": "bundled/names"}
    assert link.unknown_head(result, wrong) == (
        "The link asks for layer “7” and head “<b>”, which this model does not have: layers go from 0 to 1, "
        "heads from 0 to 2. You see layer 1, head 1."
    )
    assert "asks for head “9”, which" in link.unknown_head(result, {"link": {"layer": "0", "head": "9"}})


PARTS = {name: {"layers": 3, "heads": 4, "withdrawn": {}} for name in ("encoder", "decoder", "cross")}


def test_the_part_of_a_network_with_several_stacks() -> None:
    card = {**LM, "parts": PARTS}
    given = {"digest": "b" * 64, "text": "no fever"}
    assert page.requests(card, given, "cross")["patterns"]["options"]["part"] == "cross"
    assert page.requests(card, given)["patterns"]["options"]["part"] == "encoder"
    assert page.requests(LM, given, "cross")["patterns"]["options"]["part"] == ""
    assert [o["value"] for o in link.part_options(PARTS)] == ["encoder", "decoder", "cross"]
    assert link.part_options(PARTS)[2]["label"] == "the decoder, looking at the encoder (3 layers)"


def test_a_wrong_part_in_a_link_is_said() -> None:
    _, part, told = link.part_of({**LM, "parts": PARTS}, "tower")
    assert part == "encoder"
    assert told == (
        "“tower” was asked for, a part that is not to be seen in this model, which has encoder, decoder, cross; "
        "you see “encoder”."
    )
    assert link.sentence_of({"sentence": told, "part": "encoder"}, "encoder") == told
    assert link.sentence_of({"sentence": told, "part": "encoder"}, "decoder") == ""
    assert "this model is one stack of layers" in link.part_of(LM, "cross")[2]
    gone = {**PARTS, "cross": {**PARTS["cross"], "withdrawn": {"attention": "its patterns differ"}}}
    assert "in this model (its patterns differ); you see “encoder”." in link.part_of({**LM, "parts": gone}, "cross")[2]


def test_the_window_in_a_link() -> None:
    assert link.window_in({"rows": "512-768", "keys": "0-256"}) == {"rows": [512, 768], "keys": [0, 256]}
    for wrong in ({}, {"rows": "5-5", "keys": "0-2"}, {"rows": "a-b", "keys": "0-2"}, {"rows": "0-2"}):
        assert link.window_in(wrong) is None


def test_a_pick_outlives_the_input_but_not_the_model() -> None:
    result = attention(induction=put({(1, 1): 0.8}))
    pick = {"layer": 0, "head": 2, "model": "bundled/names"}
    assert link.picked(result, pick) == pick
    assert link.picked(result, {**pick, "model": "gpt2"})["layer"] == 1
    assert link.picked(result, "nonsense")["layer"] == 1


@pytest.mark.parametrize(
    "pick",
    [
        None,
        "x",
        {},
        {"layer": 2, "head": 0},
        {"layer": 0, "head": 3},
        {"layer": -1, "head": 0},
        {"layer": True, "head": 0},
    ],
)
def test_a_pick_that_is_none_is_no_place(pick: Any) -> None:
    assert link.placed(shown.grid_data(KEY, attention()), pick) is None


def long(**more: Any) -> Result:
    """A result as a text of nine tokens would have, were it too long."""
    result = attention(tuple(f"t{i}" for i in range(9)), part=(0, 0), **more)
    pattern = result.arrays["pattern"][:, :, -1:]
    labels = {**result.labels, "query": ("t8",)}
    asked = {**LONG_REQUEST, "options": {"part": ""}}
    facts = {**result.facts, "sampled_rows": 4, "query_tokens": 9}
    arrays = {**result.arrays, "pattern": pattern}
    return dataclasses.replace(result, arrays=arrays, labels=labels, facts=facts, request=asked)


LONG_REQUEST = {"model": "bundled/names", "revision": "1", "input": "d" * 64}
WINDOW = {
    "query_tokens": 9, "tokens": 9, "whole": True, "most_rows": 9, "most": 0.7, "most_patches": 0.5, "summed_rows": 9,
    "shares": {"to_special": 0.0, "hidden_share": 0.25, "to_first": 0.25, "itself": 0.5},
    "pairs": [[4, 2, 0.7], [8, 8, 0.6]], "rows": [0, 9], "keys": [0, 9], "steps": [1, 1], "sink": False,
    "special": True, "shape": [9, 9], "values": "",
}  # fmt: skip


def test_the_mean_is_a_head_also_of_a_long_text() -> None:
    mean = {"layer": 1, "head": heads.MEAN}
    assert link.placed(shown.grid_data(KEY, attention()), mean) == (1, "mean")
    assert link.placed(shown.grid_data(KEY, long()), mean) == (1, "mean")
    one = shown.grid_data(KEY, attention(part=(0, 0)))  # a result that somebody made of one head
    assert link.placed(one, mean) is None
    assert link.placed(one, {"layer": 1, "head": 2}) == (1, 2)


def test_one_head_of_a_long_text_is_a_window() -> None:
    request = page.window_request(long(), (1, 2), True, True)
    assert request["job"] == "window"
    assert (request["model"], request["input"]) == ("bundled/names", "d" * 64)
    assert request["options"] == {
        "part": "", "layer": 1, "head": 2, "rows": None, "keys": None, "size": None, "sink": False, "special": True,
    }  # fmt: skip
    assert page.window_request(long(), (0, "mean"), False, False)["options"]["head"] == "mean"


def test_a_long_text_says_of_how_many_rows_it_speaks() -> None:
    data = shown.grid_data(KEY, long())
    assert (data["whole"], data["rows"]) == (False, "from 4 of 9 rows")
    assert "from 4 of 9 rows, one from each of as many equal stretches" in page.explained("entropy", data)
    assert page.explained("entropy", shown.grid_data(KEY, attention())).endswith("the wider it spreads.")


def test_a_head_is_drawn_when_its_own_window_has_come(engine: Any) -> None:
    result = long()
    engine.store.put_result(KEY, result)
    data = shown.grid_data(KEY, result)
    key = key_of(page.window_request(result, (1, 2), True, True))
    engine.store.put_document(key, WINDOW)
    head = page.looked_at(engine.store, data, {"window": key}, (1, 2), True, True, {"rows": [2, 5], "keys": [0, 3]})
    assert head.name == "Head 1.2"
    assert head.start == {"rows": [2, 5], "keys": [0, 3]}
    assert page.looked_at(engine.store, data, {"window": key}, (1, 2), False, True) is None  # of the other switch
    assert page.looked_at(engine.store, data, {}, (1, 2), True, True) is None
    other = page.looked_at(engine.store, data, {"window": key}, (1, 2), True, True, {"key": "x", "rows": [2, 5]})
    assert other.start is None  # where somebody looked in another text


def long_head(**more: Any) -> LongHead:
    return LongHead.over(KEY, long(), {**WINDOW, **more}, 1, 2)


def test_a_long_head_in_words() -> None:
    assert long_head().sentence() == "Head 1.2 looks mostly at the very token it is at (0.50 of its attention)."
    assert long_head().note() == (
        "Hidden: the first token, “t0”, which takes 25% of this head's attention. The rest is not rescaled."
    )
    far = long_head(whole=False, summed_rows=4, most_rows=3).note()
    assert "The shares are means from 4 of 9 rows." in far
    assert "Its whole map, 9 × 9, would take too long: the map is a window of at most 3 rows" in far


def test_a_long_map_is_tiles_and_its_payload_stays_bounded() -> None:
    drawn, spec = long_head().map()
    assert drawn == []
    assert spec["map"] == f"/maps/{KEY}/tile?layer=1&head=2&sink=0&special=1"
    tiles = spec["tiles"]
    assert (tiles["shape"], tiles["whole"], tiles["names"]) == ([9, 9], True, f"/maps/{KEY}/names")
    view = long_head().view()
    assert view["row"] == f"/maps/{KEY}/tile?layer=1&head=2&sink=1&special=1&keys=0-9&size=1,9&rows="
    assert "tokens" not in view
    assert view["address"] == ""  # rows and columns come one by one
    assert long_head(whole=False).view()["column"] == ""


def test_a_long_table_and_downloads() -> None:
    rows = long_head().table().children[2].children
    assert [cell.children for cell in rows[0].children] == ["t4 (4)", "t2 (2)", "0.7000"]
    told = str(long_head().downloads())
    assert f"/maps/{KEY}/window.csv?layer=1&head=2" in told


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


def test_the_button_of_the_mean_says_why_it_is_off() -> None:
    assert page.mean_button({"mean": True}, 2) == ("2", "mean", False, "")
    assert page.mean_button({"mean": False}, 0) == ("0", "mean", True, page.NO_MEAN)


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


def test_a_model_without_attention_says_why_and_where_there_is_some() -> None:
    told = str(page.absent(CNN))
    assert "Radiograph has no attention: nothing in it looks from one place of the input at another." in told
    assert "/attribution?model=bundled%2Fradiograph" in told
    why = "reading attention changes this network's answer (by 1.0e-01), so it is not read"
    assert why in str(page.absent({**CNN, "withdrawn": {"attention": why}}))


def test_bundled_transformers_are_known_before_they_are_opened() -> None:
    assert page.attends({"task": "text-classification", "name": "bundled/triage"})
    assert page.attends({"task": "image-classification", "name": "bundled/radiograph-vit"})
    assert not page.attends({"task": "image-classification", "name": "bundled/radiograph"})


def test_layout_believes_only_what_the_link_may_say() -> None:
    told = json.dumps(
        page.layout(layer="1", head="2", statistic="entropy", view="lines", sink="shown", token="3").to_plotly_json(),
        default=_plain,
    )
    assert '"value": "entropy"' in told
    assert '{"link": {"layer": "1", "head": "2"}}' in told
    wrong = json.dumps(page.layout(layer=["x"], statistic="<b>", view="?", token="-9").to_plotly_json(), default=_plain)
    assert '"value": "thumbnails"' in wrong
    assert "<b>" not in wrong


def _plain(component: Any) -> Any:
    return component.to_plotly_json()


def test_requests_follow_card_and_input(engine: Any) -> None:
    app = Dash(__name__, suppress_callback_exceptions=True)
    page.register(app, engine)
    assert any("attention-grid-data" in name for name in app.callback_map)
    given = {"digest": "b" * 64, "text": "no fever"}
    request = page.requests(LM, given)["patterns"]
    assert not any(request["options"].values())  # every layer, head and query
    assert page.requests(LM, {"digest": "b" * 64}) == {}  # an image, of the model before
    assert page.requests(CNN, {"digest": "b" * 64}) == {}
    assert page.requests(None, given) == {}


def test_ids_of_the_page_are_its_own() -> None:
    """The workbench shares the page's prefix."""
    names = [i for part in page.layout()._traverse_ids() if isinstance(i := part.id, str)]
    assert len(names) == len(set(names))
