from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from tests.viz.reading import links_of, text_of
from viz.pages import page_modules
from viz.pages.gallery import doors


def test_every_door_leads_to_a_page_that_is_there_and_says_which() -> None:
    titles = {page.PATH: page.TITLE for page in page_modules()}
    for door in doors.doors():
        for to, words in door.ways:
            assert words.startswith(f"{titles[urlsplit(to).path]}: ")
    assert {"Teach", "Investigate", "Review"} == {door.name for door in doors.doors()}
    assert "opens Data: your own cases" in text_of(doors.parts())


def test_a_door_leads_to_its_own_room_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    room = SimpleNamespace(PATH="/review", TITLE="Review room")
    monkeypatch.setattr(doors, "page_modules", lambda: [*page_modules(), room])
    made = doors.parts()
    assert "/review" in links_of(made)
    assert "opens Review room" in text_of(made)
    assert any(link.startswith("/data") for link in links_of(made))
