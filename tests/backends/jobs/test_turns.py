"""The rule of fairness: whose job is next, on which worker, and who makes room."""

from __future__ import annotations

from typing import Any

import pytest

from backends.jobs import turns
from backends.jobs.turns import Attempt, Job, Turns, makes_room, seat_for, stopped


def job(number: int, owner: str = "a", priority: int = 0, **request: Any) -> Job:
    return Job(f"{number}", {"job": "run", **request}, priority, number, {owner: 0.0}, asked=100.0)


def attempt(of: Job, place: int = 0, ran: float = 0.0, now: float = 100.0) -> Attempt:
    return Attempt(of, "n", f"w{place}", place, sent=now - ran, begun=now - ran if ran else 0.0)


def test_tabs_take_turns_however_much_one_asks() -> None:
    rule, waiting = Turns(), [job(n, "greedy") for n in range(20)] + [job(20 + n, "modest") for n in range(3)]
    order = []
    while waiting:
        chosen = rule.in_order(waiting)[0]
        rule.served(chosen)
        waiting.remove(chosen)
        order.append(next(iter(chosen.owners)))
    assert order[:6] == ["greedy", "modest"] * 3
    assert order[6:] == ["greedy"] * 17


def test_priority_goes_before_turns_and_age_last() -> None:
    rule = Turns()
    background, first, second = job(0, priority=-10), job(1), job(2)
    assert rule.in_order([second, background, first]) == [first, second, background]
    rule.served(first)
    assert rule.in_order([background, job(3, "b", priority=-10)])[0].number == 3


def test_long_jobs_never_get_the_quick_worker() -> None:
    free = {"w0": 0, "w1": 1}
    long = job(1, **{"job": "survey"})
    assert long.long
    assert seat_for(long, free, [], 2, {}, 100.0) == "w0"
    assert seat_for(long, {"w1": 1}, [attempt(job(0))], 2, {}, 100.0) is None
    assert seat_for(long, {"w0": 0}, [], 1, {}, 100.0) == "w0", "a single worker does everything"


def test_the_quick_worker_is_used_beside_work_that_takes_a_while() -> None:
    click = job(1)
    assert seat_for(click, {"w0": 0, "w1": 1}, [], 2, {}, 100.0) == "w0"
    assert seat_for(click, {"w1": 1}, [attempt(job(0), ran=0.1)], 2, {}, 100.0) is None, "that is done soon"
    assert seat_for(click, {"w1": 1}, [attempt(job(0), ran=turns.SOON)], 2, {}, 100.0) == "w1"
    click.asked = 100.0 - turns.SOON
    assert seat_for(click, {"w1": 1}, [attempt(job(0), ran=0.1)], 2, {}, 100.0) == "w1", "many wait"
    click.asked = 100.0
    assert seat_for(click, {"w1": 1}, [attempt(job(0, job="table"), ran=0.1)], 2, {}, 100.0) == "w1"
    assert seat_for(click, {"w1": 1}, [], 2, {}, 100.0) == "w1", "the other is being started"


def test_a_job_goes_where_its_model_is_warm() -> None:
    free, warm = {"w0": 0, "w1": 1, "w2": 2}, {"w0": "gpt2", "w1": "triage", "w2": "other"}
    assert seat_for(job(1, model="triage"), free, [], 3, warm, 100.0) == "w1"
    assert seat_for(job(1, model="new"), free, [], 3, warm, 100.0) == "w0"
    assert seat_for(job(1, model="other"), free, [], 3, warm, 100.0) == "w0", "the last is for quick work only"


def test_who_holds_the_quick_worker_for_long_makes_room_for_others_that_are_quick() -> None:
    slow, click, survey = job(1), job(2, "b"), job(3, "b", job="survey")
    holds = attempt(slow, place=1, ran=turns.QUICK + 0.1)
    assert makes_room(holds, [click], 2, 100.0)
    assert not makes_room(holds, [], 2, 100.0)
    assert not makes_room(holds, [survey], 2, 100.0), "it could not have that worker"
    assert not makes_room(attempt(slow, place=1, ran=1.0), [click], 2, 100.0)
    assert not makes_room(attempt(slow, place=0, ran=900.0), [click], 2, 100.0), "what it has would be lost"
    stopped(holds, 100.0)
    assert slow.long
    assert slow.attempt is None
    assert slow.spent == pytest.approx(turns.QUICK + 0.1)
    assert holds.left == 100.0


def test_resumed_jobs_take_turns_on_the_others() -> None:
    mine, others, own = job(1, job="survey"), job(2, "b", job="sweep"), job(3, job="survey")
    runs = attempt(mine, ran=turns.SLICE + 0.1)
    assert makes_room(runs, [others], 2, 100.0)
    assert not makes_room(runs, [own], 2, 100.0), "of the same tab"
    assert not makes_room(runs, [job(4, "b")], 2, 100.0), "that has the quick worker"
    assert makes_room(runs, [job(4, "b")], 1, 100.0), "where there is only one, that waits for it"
    assert makes_room(runs, [job(4)], 1, 100.0), "the tab's own click, too"
    assert not makes_room(runs, [job(4, "b", priority=-10)], 1, 100.0)


def test_who_made_room_has_more_time_the_next_time() -> None:
    mine, slices = job(1, job="survey"), []
    for _ in range(6):
        slices.append(mine.slice)
        stopped(attempt(mine, ran=mine.slice), 100.0)
    assert slices == [3, 6, 12, 24, 30, 30]
    assert not makes_room(attempt(mine, ran=29.0), [job(2, "b")], 1, 100.0)
