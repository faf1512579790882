from __future__ import annotations

import ast
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backends import registry
from backends.errors import Refused


def test_unknown_entries_are_sentences_that_name_what_there_is() -> None:
    with pytest.raises(Refused, match="no method 'telepathy'; there are: activation_patching, attention, "):
        registry.method("telepathy")
    with pytest.raises(Refused, match="no model family 'resnet'; there are: "):
        registry.family("resnet")
    assert registry.method("saliency").title


def test_runs_tell_quick_methods_from_slow_ones() -> None:
    assert registry.method("attention_rollout").usual_runs() == 1
    assert registry.method("saliency").usual_runs() == 4  # a forward, and a gradient that counts three
    assert (
        registry.method("saliency").usual_runs()
        < registry.method("occlusion").usual_runs()
        < registry.method("shapley_sampling").usual_runs()
    )
    with pytest.raises(Refused, match="no method 'telepathy'"):
        registry.method("telepathy").usual_runs()


def test_many_threads_that_look_for_entries_parse_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    parse, inside, most = ast.parse, 0, 0

    def counted(text: str) -> ast.Module:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.002)
        inside -= 1
        return parse(text)

    monkeypatch.setattr(registry.ast, "parse", counted)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: registry.assigns(Path(registry.__file__), "log"), range(24)))
    assert all(found)
    assert most == 1
