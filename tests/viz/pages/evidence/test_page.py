"""The evidence page: its places, and the link that restores each tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.jobs.engine import Engine
from backends.store import Store
from tests.viz.fakes import FILM, TRIAGE
from viz.pages.evidence import page as evidence

TEXT = {"digest": "d" * 64, "text": "no fever but severe chest pain", "example": 0}
PICTURE = {"digest": "e" * 64, "image": True, "example": 0}
VIEW: dict[str, Any] = {
    "standin": "mask", "effort": "1", "region": "spans", "region-words": "", "box-left": 30, "box-top": 30,
    "box-width": 40, "box-height": 40, "curve-methods": ["lime"], "numbered": "none", "rate": "0.1", "least": "0.05",
    "data": "triage", "labelled": "·any", "rows": 30, "row-aim": "own", "tests": ["lime"], "method": "saliency",
    "same": True, "survey-same": False,
}  # fmt: skip


@pytest.mark.parametrize("tab", evidence.TABS)
def test_every_id_is_there_once_and_the_linked_tab_is_open(shipped: Path, tab: str) -> None:
    made = evidence.layout(model="bundled/triage", tab=tab)
    ids = [str(c.id) for c in made._traverse() if getattr(c, "id", None)]
    assert len(ids) == len(set(ids))
    panels = {c.id: c.hidden for c in made._traverse() if str(getattr(c, "id", "")).startswith("evidence-panel-")}
    assert [name for name, hidden in panels.items() if not hidden] == [f"evidence-panel-{tab}"]


def test_nonsense_in_a_link_is_told_or_left_out(shipped: Path) -> None:
    link: Any = {"tab": "<b>", "standin": 3, "effort": "9", "region": ["x"], "box": "a,b", "curves": None, "q": "2",
                 "rows": "-1", "tests": "<img>", "data": "x" * 999, "run": "yes"}  # fmt: skip
    made = evidence.layout(**link)
    assert "which there is not" in str(made)
    stores = {c.id: getattr(c, "data", None) for c in made._traverse() if type(c).__name__ == "Store"}
    assert stores["evidence-tab"] == "methods"
    assert stores["evidence-survey-linked"] is False


@pytest.mark.parametrize(
    ("tab", "changes", "params"),
    [
        ("methods", {}, {"curves": "lime", "region": ""}),
        ("methods", {"numbered": "lime"}, {"numbers": "lime"}),
        ("methods", {}, {"numbers": ""}),
        ("methods", {"region": "own", "region-words": "pain"}, {"region": "own", "words": "pain"}),
        ("parts", {"rate": "0.01"}, {"tab": "parts", "q": "0.01", "least": ""}),
        ("survey", {"rows": 12}, {"tab": "survey", "data": "triage", "rows": "12", "tests": "lime", "run": "1"}),
        ("blind", {"same": False}, {"tab": "blind", "method": "saliency", "same": "0"}),
    ],
)
def test_the_link_restores_the_open_tab(shipped: Path, tab: str, changes: Any, params: dict[str, str]) -> None:
    made = evidence.link_view(TRIAGE, TEXT, "urgent", tab, {**VIEW, "survey-same": tab == "survey", **changes})
    assert made["path"] == "/evidence"
    assert params.items() <= made["params"].items()
    assert made["params"]["text"] == TEXT["text"]
    assert made["params"]["target"] == "urgent"
    assert ("curves" in made["params"]) == (tab == "methods")


def test_a_picture_travels_by_its_digest_with_what_stands_in(shipped: Path) -> None:
    view = {**VIEW, "standin": "blur", "effort": "4", "region": "lesion"}
    made = evidence.link_view(FILM, PICTURE, None, "methods", view)["params"]
    assert made["input"] == PICTURE["digest"]
    assert (made["standin"], made["effort"], made["region"]) == ("blur", "4", "")


def test_it_stands_after_causal(tmp_path: Path) -> None:
    import app
    from viz.pages import page_modules

    made = app.create_app(Engine(Store(tmp_path)))
    assert any(c["output"].startswith("..evidence-said") for c in made._callback_list)
    names = [page.TITLE for page in page_modules()]
    assert names[names.index("Causal") + 1] == "Evidence"
