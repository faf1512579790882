from __future__ import annotations

import backends
from backends.evidence import edited_input
from backends.inputs import edits
from backends.methods.base import no_step
from tests.viz.reading import text_of
from viz.pages.gallery import sentence


def test_the_network_does_what_the_page_lets_a_visitor_see() -> None:
    shown = sentence.exhibit()
    assert shown is not None
    model = backends.open_model(shown.model)
    raw = {"text": shown.card["examples"][shown.example]["input"]}
    found = {
        c.name: edited_input.answer(model, raw, edits.read([list(c.edit)]), shown.replacement, no_step)
        for c in shown.changes
    }
    assert shown.last(found, []) == "Mary"
    assert shown.last(found, ["s2"]) == "John"
    assert shown.tell(found, ["s2"]).startswith("With Mary as the giver, the network says John (")
    assert shown.tell(found, ["s2"]).endswith("no longer Mary: it had read who gives.")
    assert shown.last(found, ["io"]) == "Alice"


def test_the_sentence_is_whole_and_its_names_are_buttons() -> None:
    shown = sentence.exhibit()
    assert shown is not None
    words = sentence.words(shown)
    said = "".join(text_of(w) for w in words if not hasattr(w, "id") or "spot" not in w.id)
    assert said.replace(" Alice", "").replace("John Mary", "John").endswith("John gave a drink to …")
    named = [getattr(w, "aria-label") for w in words if hasattr(w, "aria-label")]
    assert named == ["Swap “Mary” for “Alice”", "Swap “John” for “Mary”"]
