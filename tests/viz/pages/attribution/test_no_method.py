"""What the attribution page says where no method fits the model."""

from __future__ import annotations

from tests.viz.fakes import FILM, TRIAGE
from viz.pages.attribution import no_method


def test_a_model_that_no_method_fits_gets_a_sentence_and_doors() -> None:
    encoder = {**FILM, "name": "someone/cnn", "offers": ["pixels", "residual"]}
    said = str(no_method.nothing(encoder))
    assert "only encodes" in said
    assert "/trajectory?model=someone%2Fcnn" in said
    assert "/attention" not in said
    assert no_method.nothing(TRIAGE) == ""
