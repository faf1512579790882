"""The main tensor of what modules return."""

from __future__ import annotations

import torch
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from backends.hooks.main_tensor import input_tensor, main_tensor, replace_main_tensor

STATES, OTHER = torch.rand(1, 2, 3), torch.rand(4)


def test_it_is_the_output_the_first_of_a_tuple_or_the_last_hidden_state() -> None:
    assert main_tensor(STATES) is STATES
    assert main_tensor((None, STATES, OTHER)) is STATES
    assert main_tensor(BaseModelOutput(last_hidden_state=STATES, attentions=(OTHER,))) is STATES
    assert main_tensor(SequenceClassifierOutput(logits=OTHER)) is OTHER
    assert main_tensor("text") is main_tensor((1, None)) is None


def test_another_takes_its_place() -> None:
    assert replace_main_tensor(STATES, OTHER) is OTHER
    assert replace_main_tensor((STATES, None, "cache"), OTHER) == (OTHER, None, "cache")


def test_hidden_states_come_before_other_arguments() -> None:
    assert input_tensor((STATES,), {"attention_mask": OTHER}) is STATES
    assert input_tensor((), {"attention_mask": OTHER, "hidden_states": STATES}) is STATES
