"""The door: verdicts where the truth is known, the rule in words, JSON, determinism, cost, and what is refused."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import backends
from backends.errors import Cancelled, Refused
from backends.evidence import Line, Receipt, attribution_receipt, receipt
from backends.evidence.verdict import OWN, SAMPLES
from tests.backends.evidence import linear

WORTH = {"b": 3.0, "e": 2.0}


def test_a_true_map_holds_and_says_so() -> None:
    model, image, exact = linear.picture()
    made = receipt(model, linear.result_of(exact, image), target="yes", replacement="zero")
    assert made.verdict == "holds", made
    assert made.lines[0].sentence.startswith("Hiding the brightest 8% of the picture drops 'yes' from 1.00 to 0.50;")
    assert made.rule.startswith("Holds because of “hiding”")
    assert len(made.lines) <= 5
    assert {line.verdict for line in made.lines} <= {"holds", "fails", "cannot tell"}


@pytest.mark.parametrize("kind", ["noise", "smooth", "inverted", "shifted"])
def test_a_useless_map_fails(kind: str) -> None:
    model, image, exact = linear.picture()
    noise = np.random.default_rng(1).standard_normal(exact.shape)
    given = {
        "noise": noise,
        "smooth": gaussian_filter(noise, 2, mode="wrap"),
        "inverted": -exact,
        "shifted": np.roll(exact, 8, (0, 1)),
    }[kind]
    made = receipt(model, linear.result_of(given, image), replacement="zero")
    assert made.verdict == "fails", made
    assert made.rule.startswith("Fails because")


def test_text() -> None:
    model, exact = linear.text(WORTH, bias=-1.0)
    made = receipt(model, linear.result_of(exact))
    assert made.verdict == "holds", made
    assert "(“b”, “e”) drops 'yes' from 0.98 to 0.27; hiding as many other words leaves it at 0.98." in (
        made.lines[0].sentence
    )
    assert made.rule == "Holds because of “random parts”: the bright words are those that matter."
    assert receipt(model, linear.result_of(-exact)).verdict == "fails"
    assert receipt(model, linear.result_of(exact[::-1].copy())).verdict == "fails"


def test_a_network_that_looks_at_nothing_cannot_be_told() -> None:
    model, _ = linear.text({}, bias=2.0)
    made = receipt(model, linear.result_of(np.arange(14.0)))
    assert made.verdict == "cannot tell"
    assert "nothing that was hidden by “zero” changed the answer" in made.rule


def test_a_map_with_nothing_above_zero_fails_in_words() -> None:
    model, image, exact = linear.picture()
    made = receipt(model, linear.result_of(-np.abs(exact) - 1, image), replacement="zero")
    assert made.verdict == "fails"
    assert "nothing to hide" in made.lines[0].sentence


def test_stand_ins_that_disagree_are_said() -> None:
    model, exact = linear.text(WORTH)
    model.__class__ = linear.Fooled
    made = receipt(model, linear.result_of(exact))
    line = next(line for line in made.lines if line.name == "stand-in")
    assert line.about["agree"] is False
    assert "disagree" in line.sentence
    assert made.rule.endswith("; so with “zero” in the place of what is hidden, but not with “one”.")


def test_json_and_back() -> None:
    model, image, exact = linear.picture()
    made = receipt(model, linear.result_of(exact, image))
    plain = json.loads(json.dumps(made.plain(), allow_nan=False))
    assert Receipt.of(plain) == Receipt.of(made.plain())
    assert Receipt.of(plain).lines[0] == dataclasses.replace(made.lines[0])
    assert made.facts["replacements"] == ["surroundings", "zero", "minus", "noise"]
    with pytest.raises(Refused, match="this is no receipt: 'lines'"):
        Receipt.of({})
    assert Line("a", None, None, "fails", "").plain()["control"] is None


def test_the_same_receipt_each_time_and_cheaper() -> None:
    model, image, exact = linear.picture()
    first = receipt(model, linear.result_of(exact, image))
    again = receipt(model, linear.result_of(exact, image))
    other = receipt(model, linear.result_of(np.roll(exact, 3, 0), image))
    assert again.lines == first.lines
    assert again.facts["forwards"] < other.facts["forwards"] < first.facts["forwards"] / 2
    fresh, _, _ = linear.picture()
    assert receipt(fresh, linear.result_of(exact, image)).lines == first.lines
    assert receipt(model, linear.result_of(exact, image), seed=1).lines != first.lines


def test_testing_harder_draws_more() -> None:
    model, _ = linear.text(WORTH)
    weight = np.arange(14.0)
    easy = receipt(model, linear.result_of(weight))
    assert easy.facts["samples"] == 12 + SAMPLES["text"]
    hard = receipt(model, linear.result_of(weight), effort=2)
    assert hard.facts["samples"] == 2 * easy.facts["samples"]
    assert hard.facts["forwards"] > easy.facts["samples"]


def test_a_map_that_is_bright_everywhere_is_not_sent_to_a_harder_test() -> None:
    model, image, _ = linear.picture()
    made = receipt(model, linear.result_of(np.ones(image.shape[:2]), image))
    assert made.verdict == "cannot tell"
    assert made.rule.startswith("Cannot tell (“hiding”): the map calls so much of the input important")


def test_why_a_map_fails_is_said() -> None:
    model, image, exact = linear.picture()
    nothing = receipt(model, linear.result_of(-exact, image))
    assert nothing.rule == "Fails because of “hiding”: what is bright matters no more than elsewhere."
    assert "no value above zero" in nothing.lines[0].sentence
    moved = receipt(model, linear.result_of(np.roll(exact, 5, 0), image))
    assert moved.verdict == "fails"
    assert moved.lines[0].about["why"] in moved.rule
    assert moved.lines[0].about["why"].startswith(("there are places elsewhere", "hiding what is bright does not"))


def test_a_model_goes_with_its_banks() -> None:
    model, _ = linear.text(WORTH)
    receipt(model, linear.result_of(np.arange(14.0)))
    there = weakref.ref(model)
    del model
    gc.collect()
    assert there() is None


def test_a_receipt_can_be_cancelled() -> None:
    model, image, exact = linear.picture()

    def stop(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        receipt(model, linear.result_of(exact, image), step=stop)


def test_what_is_refused() -> None:
    model, image, exact = linear.picture()
    given = linear.result_of(exact, image)
    with pytest.raises(Refused, match="effort must be a whole number from 1 to 8, not '9'"):
        receipt(model, given, effort=9)
    with pytest.raises(Refused, match="this picture is not the one on the map"):
        receipt(model, given, {"image": 255 - image})
    other = dataclasses.replace(given, arrays={"heat": exact, "image": image}, axes={
        "heat": ("height", "width"), "image": ("height", "width", "channel"),
    })  # fmt: skip
    with pytest.raises(Refused, match="given has no map of its input to test"):
        receipt(model, other)
    bare = dataclasses.replace(given, arrays={"attribution": exact}, axes={"attribution": ("height", "width")})
    with pytest.raises(Refused, match="does not hold its input; give it as `raw`"):
        receipt(model, bare)
    text, weight = linear.text(WORTH, words="[CLS] b e [SEP]")
    with pytest.raises(Refused, match="the input has 2 parts that can be hidden; a test needs at least 4"):
        receipt(text, linear.result_of(weight, words="[CLS] b e [SEP]"))
    with pytest.raises(Refused, match="the text given is not the one on the map"):
        receipt(text, linear.result_of(weight, words="[CLS] b e [SEP]"), {"text": "b e"})


@pytest.mark.parametrize(
    ("name", "method"), [("tiny_bert", "saliency"), ("tiny_vit", "grad_cam"), ("tiny_gpt2", "input_x_gradient")]
)
def test_on_networks_as_they_come(name: str, method: str, fresh: Callable[[str], Any], picture: np.ndarray) -> None:
    from tests.conftest import raw_for

    model = fresh(name)
    hooks = [len(m._forward_hooks) + len(m._backward_hooks) for m in model.module.modules()]
    weights = [p.clone() for p in model.module.parameters()]
    result = backends.run(model, method, raw_for(name, picture))
    made = receipt(model, result)
    assert made.lines == receipt(model, result).lines
    assert hooks == [len(m._forward_hooks) + len(m._backward_hooks) for m in model.module.modules()]
    assert all((a == b).all() for a, b in zip(weights, model.module.parameters(), strict=True))
    json.dumps(made.plain(), allow_nan=False)
    harder = receipt(model, result, effort=2, target=OWN)
    assert harder.facts["samples"] == 2 * made.facts["samples"]
    assert harder.lines[-1].name == "weights"


def test_a_map_without_direction_is_not_judged_by_the_direction() -> None:
    model, image, exact = linear.picture()
    model.weight = -model.weight  # what matters speaks against the answer
    unsigned = dataclasses.replace(linear.result_of(exact, image), signed=False)
    made = receipt(model, unsigned, replacement="zero")
    assert made.verdict == "cannot tell"
    assert "hiding what is bright raises the score" in made.rule
    assert receipt(model, linear.result_of(exact, image), replacement="zero").verdict == "fails"


def test_bright_words_of_a_map_without_direction_may_speak_either_way() -> None:
    model, _ = linear.text({"b": -3.0, "e": 1.0})
    given = linear.result_of(np.array([0, 0, 5.0, *[0.0] * 10, 0]))
    signed, unsigned = (receipt(model, dataclasses.replace(given, signed=kind)).lines[1] for kind in (True, False))
    assert (signed.value, signed.verdict) == (0.0, "fails")
    assert unsigned.value == pytest.approx(1.0)


def test_the_line_that_decides_a_picture_is_not_that_of_a_text() -> None:
    def told(kind: str, hiding: str, parts: str, *more: Line, **about: Any) -> tuple[str, str]:
        lines = [Line("hiding", 1.0, None, hiding, "", about), Line("random parts", 1.0, None, parts, ""), *more]
        return attribution_receipt.decide(lines, kind=kind)

    for kind, name in (("image", "hiding"), ("text", "random parts")):
        for verdict in ("holds", "fails", "cannot tell"):
            both = [verdict, "holds"] if kind == "image" else ["holds", verdict]
            found, rule = told(kind, *both)
            assert found == verdict
            assert f"“{name}”" in rule
    assert told("image", "cannot tell", "holds")[1].endswith("is too close to call; test harder.")
    assert (
        "(only one size of the bright part, of 3 tried," in told("image", "cannot tell", "holds", clear=1, sizes=3)[1]
    )
    blind = Line("weights", 0.9, None, "fails", "")
    assert told("text", "holds", "holds", blind)[1].startswith("Fails because of “weights”")
    assert told("image", "fails", "fails", blind)[1].startswith("Fails because of “hiding”")


def test_where_two_words_say_the_same_a_text_is_told_by_random_sets() -> None:
    model, _ = linear.text({"b": 3.0, "e": 3.0}, bias=0.0)
    model.__class__ = Either
    made = receipt(model, linear.result_of(np.array([0, 0, 5.0, *[0.0] * 10, 0])))  # “b” alone: hiding it moves nothing
    found = {line.name: line.verdict for line in made.lines}
    assert found["hiding"] == "fails"
    assert found["random parts"] == made.verdict == "holds"


class Either(linear.Linear):
    """Says yes while any of the words that count is there."""

    def outputs(self, features: torch.Tensor, batch: Any) -> torch.Tensor:
        yes = (features * self.weight).flatten(1).max(1).values
        return torch.stack([yes, torch.zeros_like(yes)], 1)


@pytest.mark.parametrize(("blot", "sizes"), [((0.5, 4.0), 3), ((0.2, 2.0), 3)])
def test_small_and_large_parts_are_hidden_and_most_must_agree(blot: tuple[float, float], sizes: int) -> None:
    model, image, exact = linear.picture()
    made = receipt(
        model, linear.result_of(gaussian_filter(exact, blot[1]) + blot[0] * exact, image), replacement="zero"
    )
    assert made.lines[0].about["sizes"] == sizes
    assert made.lines[0].about["clear"] >= 2
    assert made.verdict == "holds"


def test_a_sure_answer_is_spoken_of_by_its_score() -> None:
    model, exact = linear.text(WORTH, bias=20.0)
    said = receipt(model, linear.result_of(exact)).lines[0].sentence
    assert "drops the score of 'yes' from" in said
    assert said.endswith("The model stays sure of its answer all the same (1.00).")
