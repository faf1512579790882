"""Which stacks of layers a network has, and which is shown."""

from __future__ import annotations

from tests.viz.pages.trajectory.cases import CLIP, LM, T5
from viz.pages.trajectory import stack_picker


def test_which_stacks_there_are_and_which_is_first() -> None:
    assert stack_picker.stacks(T5) == ["encoder", "decoder"]
    assert (stack_picker.usual(T5), stack_picker.usual(CLIP), stack_picker.usual(LM)) == ("decoder", "image", "")
    assert stack_picker.options(CLIP)[1] == {"label": "text (2 layers)", "value": "text"}
    lost = {**CLIP, "parts": {"image": {"layers": 3, "withdrawn": {"residual": "no"}}, "text": {"layers": 2}}}
    assert stack_picker.stacks(lost) == ["text"]
    assert stack_picker.unknown(T5, "encoder") == stack_picker.unknown(T5, "") == ""
    assert "asks for the part 'x' of someone/t5; it has encoder, decoder: decoder is shown" in stack_picker.unknown(
        T5, "x"
    )
    assert "which is one stack" in stack_picker.unknown(LM, "decoder")


def test_the_answers_stack_is_shown_unless_another_is_chosen() -> None:
    assert stack_picker.chosen(T5, "encoder") == "encoder"
    assert stack_picker.chosen(T5, stack_picker.ACROSS) == stack_picker.chosen(T5, ["x"]) == "decoder"
    assert stack_picker.answers(T5, "decoder")
    assert not stack_picker.answers(T5, "encoder")
    assert stack_picker.answers(LM, "encoder")  # one stack: it answers whatever a link says
