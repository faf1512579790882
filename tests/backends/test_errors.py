"""The ways a job ends early: which may be asked again, and that nobody takes a cancelled one for refused."""

from __future__ import annotations

import pickle

import pytest

from backends.errors import Cancelled, Crowded, Refused, Unsettled


def test_what_may_be_asked_again_is_refused_too() -> None:
    for kind in (Unsettled, Crowded):
        with pytest.raises(Refused, match="the disk is full"):
            raise kind("the disk is full")
    assert issubclass(Crowded, Unsettled)
    assert not issubclass(Refused, Unsettled)
    assert issubclass(Refused, ValueError)


def test_cancelled_is_not_refused() -> None:
    assert not issubclass(Cancelled, Refused)
    assert not issubclass(Cancelled, ValueError)


@pytest.mark.parametrize("kind", [Refused, Unsettled, Crowded, Cancelled])
def test_they_travel_from_a_worker_with_their_sentence(kind: type[Exception]) -> None:
    there = pickle.loads(pickle.dumps(kind("no model 'x'")))
    assert type(there) is kind
    assert str(there) == "no model 'x'"
