"""Forms follow from the methods' fields."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from dash import html

from backends import registry
from backends.errors import Refused
from backends.methods.base import Method, option
from viz.components import option_form


@dataclass(frozen=True)
class Example(Method):
    """An example."""

    needs: ClassVar = frozenset({"gradient"})
    title: ClassVar = "Example"
    steps: int = option(32, "how many steps", low=1, high=100)
    noise: float = option(0.5, "how much noise", low=0.0, high=1.0)
    signed: bool = option(True, "keep the sign")
    kind: str = option("mean", "what to compare with", choices=("mean", "zero", "blur"))
    layers: tuple[int, ...] = option((), "which layers")
    top: int | None = option(None, "how many; empty is all", low=1)


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry.method
    monkeypatch.setattr(registry, "method", lambda name: Example if name == "example" else real(name))


def controls(form: html.Div) -> dict[str, Any]:
    return {c.id["name"]: c for c in form._traverse() if isinstance(getattr(c, "id", None), dict)}


def test_every_field_has_a_control_of_its_kind() -> None:
    found = controls(option_form.form("page", "example"))
    assert list(found) == [f.name for f in dataclasses.fields(Example)]
    assert (found["steps"].type, found["steps"].min, found["steps"].max, found["steps"].step) == ("number", 1, 100, 1)
    assert found["noise"].step == "any"
    assert found["signed"].value is True
    assert [o["value"] for o in found["kind"].options] == ["mean", "zero", "blur"]
    assert found["layers"].type == "text"
    assert found["top"].value is None
    assert found["steps"].id == option_form.option_id("page", "example", "steps")


def test_labels_belong_to_their_controls_and_help_is_shown() -> None:
    form = option_form.form("page", "example")
    labels = [c for c in form._traverse() if isinstance(c, html.Label)]
    ids = {option_form.dom_id(c.id) for c in controls(form).values()}
    assert {label.htmlFor for label in labels} <= ids
    assert option_form.dom_id({"type": "t", "name": "a"}) == '{"name":"a","type":"t"}'
    assert "how many steps" in str(form)


def test_given_values_and_narrowed_choices() -> None:
    found = controls(option_form.form("page", "example", {"steps": 7, "kind": "blur"}, {"kind": ("mean", "blur")}))
    assert found["steps"].value == 7
    assert [o["value"] for o in found["kind"].options] == ["mean", "blur"]


def test_what_was_typed_is_collected_and_checked() -> None:
    ids = [option_form.option_id("page", "example", n) for n in ("steps", "layers")]
    typed = option_form.collect(ids, ["12", " 1, 2 "])
    assert typed == {"example": {"steps": "12", "layers": " 1, 2 "}}
    assert option_form.checked("example", typed["example"])["layers"] == [1, 2]
    assert option_form.checked("example", {"top": None})["top"] is None
    assert option_form.changed("example", {"steps": 12, "noise": 0.5}) == {"steps": 12}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 1000}, "Example: steps must be a whole number from 1 to 100, not '1000'"),
        ({"steps": None}, "steps must be a whole number from 1 to 100, not 'empty or out of range'"),
        ({"kind": "median"}, "Example: kind must be one of mean, zero, blur"),
        ({"step": 3}, "Example has no option 'step'; its options are: steps"),
        ([1], "the options of Example are names with values"),
    ],
)
def test_wrong_options_are_sentences(values: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        option_form.checked("example", values)


@pytest.mark.parametrize("name", sorted(registry.entries("methods")))
def test_every_method_has_a_form_whose_defaults_are_valid(name: str) -> None:
    values = {n: c.value for n, c in controls(option_form.form("page", name)).items()}
    assert option_form.changed(name, values) == {}
