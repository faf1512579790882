"""Which parts matter, by how much, and which few decide: against closed forms, and on the shipped models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.errors import Cancelled, Refused
from backends.jobs import important_parts
from backends.jobs.model_cache import models
from backends.methods.base import no_step
from backends.requests import ImportantParts
from backends.store import Store
from tests.backends.evidence import linear
from tests.backends.jobs.asking import Asking


def asked(store: Store, **changes: Any) -> ImportantParts:
    usual = {"model": "linear", "revision": "1", "input": store.put_input({"text": linear.TEXT}), "target": "yes"}
    return ImportantParts(**{**usual, "replacement": "zero", "rate": 0.1, "least": 0.05, **changes})


def parts(here: Asking, replacement: str = "", seed: int = 0) -> ImportantParts:
    return here.request(ImportantParts, **here.input, replacement=replacement, rate=0.1, least=0.05, seed=seed)


def test_effects_of_a_sum_are_its_weights_and_the_words_that_carry_it_decide(tmp_path: Path) -> None:
    model, weight = linear.text({"b": 3.0, "e": 2.0, "g": -1.0}, bias=-2.5)
    store = Store(tmp_path)
    made = important_parts.perform(model, asked(store), store, no_step)
    names = made.labels["part"]
    assert names == tuple("abcdefghijkl")
    assert made.arrays["effect"] == pytest.approx(weight[1:-1], abs=1e-4)
    assert (made.arrays["low"] <= made.arrays["effect"] + 1e-6).all()
    assert (made.arrays["effect"] <= made.arrays["high"] + 1e-6).all()
    assert [n for n, f in zip(names, made.arrays["found"], strict=True) if f] == ["b", "e", "g"]
    assert [linear.TEXT[a:b] for a, b in made.arrays["span"]] == list(names)
    flips = made.facts["flips"]  # 1.5 ahead: b alone tips it, and e does
    assert flips["names"] == ["b"]
    assert flips["other"] == "no"
    assert flips["probability"] == pytest.approx(1 / (1 + np.exp(1.5)), abs=1e-5)
    assert made.facts["suffices"]["names"] == ["b"]
    assert made.signed
    assert made.unit == "logit"


def test_what_counts_can_be_set(tmp_path: Path) -> None:
    model, _ = linear.text({"b": 3.0, "e": 2.0, "g": -1.0}, bias=-2.5)
    store = Store(tmp_path)
    made = important_parts.perform(
        model, asked(store, least=0.3), store, no_step
    )  # of the largest change of 5: only more than 1.5 counts
    assert [n for n, f in zip(made.labels["part"], made.arrays["found"], strict=True) if f] == ["b", "e"]
    assert made.facts["least"] == pytest.approx(1.5, abs=1e-4)
    with pytest.raises(Refused, match=r"rate must be a number from 0.001 to 0.5, not '0.9'"):
        important_parts.perform(model, asked(store, rate=0.9), store, no_step)
    with pytest.raises(Refused, match=r"least must be a number from 0 to 0.5, not '2'"):
        important_parts.perform(model, asked(store, least=2), store, no_step)


def test_an_answer_that_is_not_given_has_no_sets_and_it_is_said(tmp_path: Path) -> None:
    model, _ = linear.text({"b": 3.0, "e": 2.0}, bias=-9.0)
    store = Store(tmp_path)
    made = important_parts.perform(model, asked(store), store, no_step)
    assert "does not give this answer in the first place" in made.facts["no_sets"]
    assert "flips" not in made.facts


def test_where_the_answer_needs_nothing_nothing_suffices(tmp_path: Path) -> None:
    model, _ = linear.text({"b": 3.0, "e": 2.0}, bias=1.0)
    store = Store(tmp_path)
    made = important_parts.perform(model, asked(store), store, no_step)
    assert "suffices" not in made.facts
    assert made.facts["empty"]["probability"] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-5)
    assert made.facts["flips"]["flips"] is False  # nothing can be hidden that turns it


def test_the_corner_tag_decides_the_shortcut(tmp_path: Path) -> None:
    from backends.inputs.images import open_image

    tagged = next(i for i, e in enumerate(_examples("bundled/radiograph-shortcut")) if "tag" in e.get("truth", {}))
    here = Asking(tmp_path, "bundled/radiograph-shortcut", tagged)
    seen: list[float] = []
    made = here.do(
        parts(here),
        seen.append,
    )
    flips = made.facts["flips"]
    assert flips["other"] == "no finding"
    assert flips["names"] == ["row 1, column 1"]
    left, top, right, bottom = made.arrays["box"][flips["parts"][0]]
    assert (left, top, right, bottom) == (0, 0, 0.125, 0.125)
    image, without = made.arrays["image"], made.arrays["without"]
    assert (without[8:] == image[8:]).all()
    assert (without[:8, 8:] == image[:8, 8:]).all()
    assert np.abs(without[:8, :8].astype(int) - image[:8, :8]).max() > 40  # the tag is gone
    assert made.arrays["found"][0]
    assert seen == sorted(seen)
    open_image(without)


def _examples(name: str) -> Any:
    from backends import catalog

    return catalog.card(name)["examples"]


def test_a_cancelled_trial_stops(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/radiograph", 0)

    def stop(fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        here.do(parts(here, "blur", 3), stop)


def test_a_text_with_other_spaces_is_marked_where_its_own_words_stand(tmp_path: Path) -> None:
    here = Asking(tmp_path, "bundled/triage")
    spaced = Asking(tmp_path, "bundled/triage", raw={"text": "no   fever but      severe    chest pain"})
    for asking in (here, spaced):
        made = asking.do(parts(asking))
        words = [made.facts["text"][a:b] for a, b in made.arrays["span"]]
        assert words == ["no", "fever", "but", "severe", "chest", "pain"]


def test_of_two_answers_the_shares_are_those_of_the_two_alone(tmp_path: Path) -> None:
    here = Asking(
        tmp_path, "bundled/triage", raw={"text": "no severe chest pain but fever"}, target=["soon", "routine"]
    )
    made = here.do(parts(here))
    assert made.facts["probability"] > 0.5
    flips = made.facts["flips"]
    assert flips["flips"]
    assert flips["other"] == "routine"
    assert flips["probability"] + flips["other_probability"] == pytest.approx(1)
    assert flips["probability"] < 0.5
    turned = Asking(
        tmp_path, "bundled/triage", raw={"text": "no severe chest pain but fever"}, target=["routine", "soon"]
    )
    behind = turned.do(parts(turned))
    assert "behind the second already" in behind.facts["no_sets"]


def test_a_long_text_has_stretches_for_parts() -> None:
    from backends.evidence import regions

    model = models().get("bundled/triage")
    made = regions.find_regions(model, {"text": "fever " * 110})
    assert len(made.groups) == 110
    regions.MOST, before = 50, regions.MOST
    try:
        made = regions.find_regions(model, {"text": "fever " * 110})
    finally:
        regions.MOST = before
    assert len(made.groups) == 37
    assert made.names[0] == "fever fever fever"
    assert made.groups.sum(0).tolist() == [1] * 110


def test_where_hiding_changes_nothing_no_part_is_told_from_another(tmp_path: Path) -> None:
    model, _ = linear.text({"b": 1e-6, "e": -1e-6}, bias=2.0)
    store = Store(tmp_path)
    with pytest.raises(Refused, match="nothing that was hidden by “zero” changed the answer, so no part can be told"):
        important_parts.perform(model, asked(store), store, no_step)


def test_testing_harder_tries_more(tmp_path: Path) -> None:
    model, _ = linear.text({"b": 3.0, "e": 2.0, "g": -1.0}, bias=-2.5)
    store = Store(tmp_path)
    usual, harder = (important_parts.perform(model, asked(store, effort=n), store, no_step) for n in (1, 4))
    assert harder.facts["trials"] == 4 * usual.facts["trials"]
    with pytest.raises(Refused, match="effort must be a number from 1"):
        important_parts.perform(model, asked(store, effort=0), store, no_step)
