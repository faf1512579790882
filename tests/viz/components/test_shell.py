"""The frame: theme before the first paint, links, and failures as sentences."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from backends.errors import Refused
from viz import theme
from viz.components import shell


def texts(component: Any) -> str:
    return str(component)


def test_the_page_carries_both_themes_and_chooses_before_it_paints() -> None:
    html = shell.index()
    assert shell.EARLY in html.split("</head>")[0]
    assert '<html lang="en">' in html
    for dark, name in ((False, "light"), (True, "dark")):
        assert f'[data-bs-theme="{name}"]{{--v-page:{theme.colours(dark)["page"]};' in html
    for slot in ("{%metas%}", "{%css%}", "{%app_entry%}", "{%config%}", "{%scripts%}", "{%renderer%}"):
        assert slot in html


def test_each_tab_has_a_name_of_its_own() -> None:
    frames = [{"name": "Gallery", "path": "/"}, {"name": "Attention", "path": "/attention"}]
    names = {
        next(c.data for c in shell.shell(frames)._traverse() if getattr(c, "id", "") == "shell-tab") for _ in range(3)
    }
    assert len(names) == 3
    ids = [c.id for c in shell.shell(frames)._traverse() if getattr(c, "id", None)]
    assert "shell-nav-home" in ids
    assert "shell-nav-attention" in ids
    assert len(ids) == len(set(ids))


def test_a_layout_that_fails_is_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    def refusing(**query: Any) -> None:
        raise Refused("no such thing")

    def broken(**query: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    assert "no such thing" in texts(shell.guarded(refusing)())
    with caplog.at_level(logging.ERROR, "vitrine"):
        told = texts(shell.guarded(broken)(model="x"))
    assert "secret" not in told
    assert "Vitrine failed on this" in told
    assert "a secret detail" in caplog.text


def test_a_callback_that_fails_is_told_above_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(shell, "set_props", lambda id, props: told.append((id, props["children"].children)))
    shell.on_error(Refused("the disk is full"))
    shell.on_error(KeyError("secret"))
    assert told == [(shell.ALERT, "the disk is full"), (shell.ALERT, shell.FAILED)]


def test_an_address_that_is_no_page_leads_back() -> None:
    assert "There is no such page" in texts(shell.lost(anything="x"))
