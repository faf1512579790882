from __future__ import annotations

import pytest

from backends import registry
from backends.errors import Refused


def test_unknown_entries_are_sentences_that_name_what_there_is() -> None:
    with pytest.raises(Refused, match="no method 'telepathy'; there are: activation_patching, attention, "):
        registry.method("telepathy")
    with pytest.raises(Refused, match="no model family 'resnet'; there are: "):
        registry.family("resnet")
    assert registry.method("saliency").title
