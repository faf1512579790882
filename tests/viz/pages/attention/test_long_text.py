"""One head of a text that is too long for a whole map."""

from __future__ import annotations

from typing import Any

from tests.viz.pages.attention.cases import KEY, WINDOW, long
from viz.pages.attention.long_text import LongHead


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
