"""Few threads read what strangers send; the others are told to come again."""

from __future__ import annotations

import threading
import time

import pytest

from backends.errors import Unsettled
from backends.inputs.turns import Turns


def test_two_at_a_time_and_the_others_wait() -> None:
    turns, inside, most, done = Turns(at_once=2, waiting=8, patience=10), 0, 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal inside, most, done
        with turns.turn():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with lock:
                inside -= 1
                done += 1

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (most, done) == (2, 10)


def test_too_many_are_told_at_once_and_who_waits_too_long_is_told_then() -> None:
    turns = Turns(at_once=1, waiting=1, patience=0.2)
    told: list[float] = []
    with turns.turn():

        def late() -> None:
            began = time.monotonic()
            with pytest.raises(Unsettled, match="other people's files are being read just now"), turns.turn():
                pass
            told.append(time.monotonic() - began)

        threads = [threading.Thread(target=late) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert len(told) == 3
    assert sum(seconds < 0.15 for seconds in told) == 2
    with turns.turn():
        pass  # nothing is held on to


def test_a_turn_within_a_turn_is_the_same_one() -> None:
    turns = Turns(at_once=1, waiting=0, patience=0.1)
    with turns.turn(), turns.turn():
        pass
    with turns.turn():
        pass


def test_a_turn_that_fails_is_over() -> None:
    turns = Turns(at_once=1, waiting=0, patience=0.1)
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    with turns.turn():
        pass
