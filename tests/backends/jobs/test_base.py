"""A job is a request and what carries it out: found by its file, called as requests call it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import backends.jobs
from backends import registry, requests
from backends.errors import Refused
from backends.jobs import base
from backends.jobs.base import Job
from backends.jobs.model_cache import find_model
from backends.requests import Request


@dataclass(frozen=True, kw_only=True)
class Wish(Request):
    job: ClassVar[str] = "wish"
    words: str


def test_every_request_that_pages_send_has_a_job_of_its_own_file() -> None:
    jobs = registry.entries("jobs")
    sent = {r for r in vars(requests).values() if isinstance(r, type) and issubclass(r, Request) and hasattr(r, "job")}
    keys_only = {requests.RandomMapReceipt, requests.VariantMap}
    assert {job.request for job in jobs.values()} == sent - keys_only
    assert len({job.name for job in jobs.values()}) == len(jobs)
    files = {p.stem for p in Path(backends.jobs.__file__).parent.glob("*.py") if registry.assigns(p, "ENTRY")}
    assert set(jobs) == files


@pytest.mark.parametrize(
    ("name", "file"),
    [("open", "open_model"), ("sweep", "method_over_rows"), ("audit", "method_receipt"), ("parts", "important_parts"),
     ("together", "compare_methods"), ("numbers", "metrics"), ("survey", "dataset_test"),
     ("blind", "randomised_network")],
)  # fmt: skip
def test_requests_call_jobs_as_they_always_did(name: str, file: str) -> None:
    assert base.find(name) is registry.entries("jobs")[file]


@pytest.mark.parametrize("name", ["dance", None, ["run"], {"a": 1}])
def test_an_unknown_job_is_a_sentence(name: Any) -> None:
    with pytest.raises(Refused, match=r"no job .*; there are: audit, blind, check, .*, together, window"):
        base.find(name)


def test_a_job_is_given_the_model_that_the_page_opened() -> None:
    job = Job(Wish, lambda model, request, store, step: {})
    assert job.name == "wish"
    assert job.model is find_model


class Bare(Wish):
    more: str


@dataclass(frozen=True, kw_only=True)
class Nameless(Request):
    words: str


@pytest.mark.parametrize(
    ("request_", "perform", "sentence"),
    [
        (dict, print, "a job's request is a subclass of backends.requests.Request that names its job"),
        (Nameless, print, "a job's request is a subclass of backends.requests.Request that names its job"),
        (Bare, print, r"Bare is no dataclass: write @dataclass\(frozen=True, kw_only=True\) above it"),
        (Wish, "print", "Wish: its perform cannot be called"),
    ],
)
def test_what_is_no_job_says_so(request_: Any, perform: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        Job(request_, perform)
