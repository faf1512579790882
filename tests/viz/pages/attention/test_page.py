"""The attention page: its requests, its layout and what it says of a model without attention."""

from __future__ import annotations

import json
from typing import Any

from dash import Dash

from backends.requests import key_of
from tests.viz.pages.attention.cases import CNN, KEY, LM, PARTS, WINDOW, attention, long
from viz.pages.attention import attention_link as link
from viz.pages.attention import attention_view as shown
from viz.pages.attention import page


def test_the_part_of_a_network_with_several_stacks() -> None:
    card = {**LM, "parts": PARTS}
    given = {"digest": "b" * 64, "text": "no fever"}
    assert page.requests(card, given, "cross")["patterns"]["options"]["part"] == "cross"
    assert page.requests(card, given)["patterns"]["options"]["part"] == "encoder"
    assert page.requests(LM, given, "cross")["patterns"]["options"]["part"] == ""
    assert [o["value"] for o in link.part_options(PARTS)] == ["encoder", "decoder", "cross"]
    assert link.part_options(PARTS)[2]["label"] == "the decoder, looking at the encoder (3 layers)"


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


def test_the_button_of_the_mean_says_why_it_is_off() -> None:
    assert page.mean_button({"mean": True}, 2) == ("2", "mean", False, "")
    assert page.mean_button({"mean": False}, 0) == ("0", "mean", True, page.NO_MEAN)


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


def test_the_link_restores_the_scale_of_each_patch() -> None:
    def own(**link: str) -> bool:
        return next(p.value for p in page.layout(**link)._traverse() if getattr(p, "id", None) == "attention-own")

    assert own(own="1") is True
    assert own() is False
