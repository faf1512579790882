"""A panel asks for jobs, watches them, gives them up, and reads their answers."""

from __future__ import annotations

from typing import Any

import pytest
from dash import Input, no_update

from backends.errors import Refused
from backends.jobs.engine import State
from backends.requests import key_of
from tests.viz.callbacks import functions
from tests.viz.fakes import FakeEngine
from tests.viz.samples import parts
from viz.components import job_panel

ONE, TWO = {"job": "run", "n": 1}, {"job": "run", "n": 2}


def test_what_is_kept_is_answered_at_once(engine: FakeEngine) -> None:
    engine.store.put_document(key_of(ONE), {"a": 1})
    answers, waiting, fraction, words = job_panel.progress(engine, {"a": ONE}, {}, "tab", "ask")
    assert answers == {"asked": {"a": key_of(ONE)}, "keys": {"a": key_of(ONE)}, "sentences": {}, "again": []}
    assert (waiting, fraction, words) == (False, 1.0, "")


def test_the_bar_says_what_runs_and_how_many_wait(engine: FakeEngine) -> None:
    engine.states = {key_of(ONE): State("running", 0.5, seconds=3.2), key_of(TWO): State("waiting")}
    _, waiting, fraction, words = job_panel.progress(
        engine, {"a": ONE, "b": TWO}, {}, "tab", "ask", "Opening the model"
    )
    assert waiting
    assert fraction == 0.25
    assert words == "Opening the model … (3 s, 2 to go)"


def test_a_new_question_gives_up_the_old_one(engine: FakeEngine) -> None:
    before = {"asked": {"a": key_of(ONE)}, "keys": {}, "sentences": {}}
    job_panel.progress(engine, {"a": TWO}, before, "tab", "ask")
    assert engine.cancelled == [key_of(ONE)]


def test_a_poll_that_comes_before_the_question_asks_it(engine: FakeEngine) -> None:
    answers, waiting, *_ = job_panel.progress(engine, {"a": ONE}, {}, "tab", "poll")
    assert engine.asked == [ONE]
    assert waiting
    job_panel.progress(engine, {"a": ONE}, answers, "tab", "poll")
    assert engine.asked == [ONE]


def test_cancel_frees_the_tab_even_if_others_go_on(engine: FakeEngine) -> None:
    answers, waiting, *_ = job_panel.progress(engine, {"a": ONE}, {"asked": {"a": key_of(ONE)}}, "tab", "cancel")
    assert engine.cancelled == [key_of(ONE)]
    assert answers["sentences"] == {"a": job_panel.CANCELLED}
    assert not waiting
    assert "Cancelled" in job_panel.sentences(answers["sentences"])[0].children


def test_an_end_that_was_told_is_not_forgotten(engine: FakeEngine) -> None:
    engine.states[key_of(ONE)] = State("failed", message="this is not kept any more")
    before = {"asked": {"a": key_of(ONE), "b": key_of(TWO)}, "keys": {}, "sentences": {"a": "no class 'x'"}}
    answers, *_ = job_panel.progress(engine, {"a": ONE, "b": TWO}, before, "tab", "poll")
    assert answers["sentences"] == {"a": "no class 'x'"}


def test_refusals_become_sentences_and_the_rest_goes_on(engine: FakeEngine) -> None:
    answers, waiting, *_ = job_panel.progress(engine, {"a": {"x": {1}}, "b": ONE}, {}, "tab", "ask")
    assert "plain JSON" in answers["sentences"]["a"]
    assert waiting
    engine.refusal = "Vitrine is being stopped"
    answers, waiting, *_ = job_panel.progress(engine, {"b": ONE}, {}, "tab", "ask")
    assert answers["sentences"] == {"b": "Vitrine is being stopped"}
    assert not waiting


def test_equal_sentences_are_told_once() -> None:
    told = job_panel.sentences({"a": "too long", "b": "too long", "c": "other"})
    assert [alert.children for alert in told] == ["too long", "other"]


def test_quiet_jobs_wait_behind_the_others(engine: FakeEngine) -> None:
    job_panel.progress(engine, {"a": ONE}, {}, "tab", "ask", quiet=True)
    job_panel.progress(engine, {"a": TWO}, {}, "tab", "ask")
    assert engine.priorities[0] < engine.priorities[1]


def test_too_many_jobs_are_refused(engine: FakeEngine) -> None:
    with pytest.raises(Refused, match="at most 64 jobs"):
        job_panel.progress(engine, {str(i): ONE for i in range(65)}, {}, "tab", "ask")
    with pytest.raises(Refused, match="at most 64 jobs"):
        job_panel.progress(engine, ["not", "a", "mapping"], {}, "tab", "ask")  # type: ignore[arg-type]


def test_what_a_page_waits_for_goes_before_long_jobs(engine) -> None:
    asked = [{"job": job, "model": "m"} for job in ("open", "predict", "run")]
    for request in asked:
        job_panel.progress(engine, {"a": request}, {}, "tab", "ask")
    job_panel.progress(engine, {"a": {"job": "check", "model": "m"}}, {}, "tab", "ask", quiet=True)
    opening, predicting, running, checking = engine.priorities
    assert opening > predicting > running > checking


def test_trying_again_is_offered_where_it_can_help(engine: FakeEngine) -> None:
    engine.states = {
        key_of(ONE): State("failed", message="the text has 200 tokens"),
        key_of(TWO): State("failed", message="the connection broke off", again=True),
    }
    answers, *_ = job_panel.progress(engine, {"a": ONE, "b": TWO}, {}, "tab", "ask")
    assert answers["again"] == ["b"]
    assert job_panel.progress(engine, {"a": ONE, "b": TWO}, answers, "tab", "poll")[0]["again"] == ["b"]
    assert job_panel.progress(engine, {"a": ONE}, answers, "tab", "cancel")[0]["again"] == []  # it ended by itself
    engine.refusal = "no class 'x'"
    assert job_panel.progress(engine, {"a": ONE}, {}, "tab", "ask")[0]["again"] == []


def test_what_was_cancelled_may_be_asked_for_again(engine: FakeEngine) -> None:
    assert job_panel.progress(engine, {"a": ONE}, {"asked": {"a": key_of(ONE)}}, "tab", "cancel")[0]["again"] == ["a"]


def test_a_sentence_of_another_slot_is_not_told_twice() -> None:
    answers = {"sentences": {"a": "too long", "b": "no class 'x'", "c": job_panel.CANCELLED}}
    beside = {"sentences": {"answer": "too long", "other": job_panel.CANCELLED}}
    assert job_panel.untold(answers, beside) == {"b": "no class 'x'", "c": job_panel.CANCELLED}
    assert job_panel.untold(answers) == answers["sentences"]
    assert job_panel.untold(None, None) == {}


def asking(wanted: Any, **ways: Any) -> Any:
    panel = job_panel.JobPanel("page", "run")
    return functions(lambda app: panel.ask(app, [Input("page-card", "data")], wanted, **ways))["ask"]


def test_the_same_jobs_are_asked_for_once() -> None:
    ask = asking(lambda card: {"a": {"job": "run", "rows": (1, 2), "model": card}})
    assert ask("m", None) == {"a": {"job": "run", "rows": (1, 2), "model": "m"}}
    assert ask("m", {"a": {"model": "m", "job": "run", "rows": [1, 2]}}) is no_update  # the browser knows no tuples
    assert ask("other", {"a": {"model": "m", "job": "run", "rows": [1, 2]}})["a"]["model"] == "other"
    assert asking(lambda card: no_update)("m", {"a": ONE}) is no_update


def test_a_closed_tab_asks_for_nothing_and_keeps_what_still_belongs_to_the_page() -> None:
    ask = asking(lambda card: {"a": {"model": card}}, while_open=("page-tab", "here"))
    assert ask("m", "here", None) == {"a": {"model": "m"}}
    assert ask("m", "there", {"a": {"model": "m"}}) is no_update
    assert ask("other", "there", {"a": {"model": "m"}}) == {}


def test_an_answer_comes_with_its_key_or_with_a_sentence(engine: FakeEngine) -> None:
    engine.store.put_document("ab" * 32, {"x": 1})
    answers: job_panel.Answers = {"keys": {"a": "ab" * 32, "gone": "9" * 64}, "sentences": {"c": "too long"}}
    assert job_panel.document(engine, answers, "a") == ({"x": 1}, "ab" * 32, "")  # type: ignore[arg-type]
    assert job_panel.document(engine, answers, "c") == (None, "", "too long")  # type: ignore[arg-type]
    assert job_panel.document(engine, None, "a") == (None, "", "")  # type: ignore[arg-type]
    gone = job_panel.document(engine, answers, "gone")  # type: ignore[arg-type]
    assert gone[:2] == (None, "")
    assert "no longer kept" in gone.why
    found, why = job_panel.documents(engine, answers)  # type: ignore[arg-type]
    assert found == {"a": {"x": 1}}
    assert why == {"c": "too long", "gone": gone.why}


def test_what_must_be_there_is_refused_where_it_is_gone(engine: FakeEngine) -> None:
    engine.store.put_result("ab" * 32, parts())
    answers: job_panel.Answers = {"keys": {"a": "ab" * 32, "gone": "9" * 64}}
    assert job_panel.take_result(engine, answers, "a").method == "parts"  # type: ignore[arg-type]
    assert job_panel.take_result(engine, answers, "b") is None  # type: ignore[arg-type]
    assert job_panel.result(engine, answers, "a").value.method == "parts"  # type: ignore[arg-type]
    assert list(job_panel.results(engine, answers)[0]) == ["a"]  # type: ignore[arg-type]
    with pytest.raises(Refused, match="no longer kept"):
        job_panel.take_result(engine, answers, "gone")  # type: ignore[arg-type]
    with pytest.raises(Refused, match="no longer kept"):
        job_panel.take_document(engine, answers, "gone")  # type: ignore[arg-type]
