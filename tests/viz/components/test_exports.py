"""The row of exports."""

import json

from viz.components.exports import FILES, exports, map_view

KEY = "ab" * 32


def test_every_file_has_its_route_and_a_name_for_screen_readers() -> None:
    row = exports(KEY, "attribution-heat-0", "Occlusion")
    links = [c for c in row.children if getattr(c, "href", None)]
    assert [a.href for a in links] == [f"/results/{KEY}/{kind}" for kind in FILES]
    assert all("Occlusion" in getattr(a, "aria-label") for a in links)


def test_pictures_are_made_from_the_element_named() -> None:
    saves = [c for c in exports(KEY, "some-id").children if hasattr(c, "data-save")]
    assert [(getattr(b, "data-save"), getattr(b, "data-picture")) for b in saves] == [
        ("png", "some-id"),
        ("svg", "some-id"),
    ]
    assert not [c for c in exports(KEY).children if hasattr(c, "data-save")]
    assert not [c for c in exports(KEY, link=False).children if hasattr(c, "data-copy-link")]


def test_a_picture_carries_its_result_and_how_it_is_shown() -> None:
    row = exports(KEY, "some-id", view=map_view("token", (-1.0, 1.0), ""))
    save = next(c for c in row.children if hasattr(c, "data-save"))
    assert getattr(save, "data-key") == KEY
    assert json.loads(getattr(save, "data-view")) == {"by": "token", "scale": "-1.0,1.0", "mask": ""}
    (page,) = [c for c in row.children if str(getattr(c, "href", "")).startswith(f"/results/{KEY}/html")]
    assert page.href.endswith("?by=token&scale=-1.0%2C1.0&mask=")
    bare = next(c for c in exports(KEY, "some-id").children if hasattr(c, "data-save"))
    assert getattr(bare, "data-key") == KEY
    assert not hasattr(bare, "data-view")  # the browser's picture is put into the page
    assert map_view() == {}


def test_a_result_without_a_picture_on_the_page_is_drawn_by_the_server() -> None:
    save = next(c for c in exports(KEY, what="this grid", view={}).children if hasattr(c, "data-save"))
    assert (getattr(save, "data-view"), getattr(save, "data-picture")) == ("{}", f"result-{KEY[:8]}")
