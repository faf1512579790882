"""The lens as a table: its tokens, its colours, and that its words can be read."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from viz import figures, theme
from viz.figures import logit_lens
from viz.figures.words import plain


def test_lens_table_shows_top_tokens_and_colours() -> None:
    result = samples.lens()
    figure = figures.draw(result)
    np.testing.assert_array_equal(figure.data[0].z, result.arrays["probability"][..., 0])
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    best = [plain(result.facts["strings"][str(i)], 12) for i in result.arrays["token"][:, :, 0].ravel()]
    assert list(figure.data[1].text) == best
    assert figure.data[0].customdata[0][0].count("<br>") == 4
    kl = figures.draw(result, colour="kl")
    np.testing.assert_array_equal(kl.data[0].z, result.arrays["kl"])
    assert "(nat)" in kl.layout.coloraxis.colorbar.title.text
    part = figures.draw(result, start=1, most=2)
    assert list(part.data[0].x) == ["·Mary ₁", "·and ₂"]
    assert "positions 1 to 2 of 6" in part.layout.title.subtitle.text
    with pytest.raises(Refused, match="no measure 'joy' of the lens; there are: probability, entropy, kl"):
        figures.draw(result, colour="joy")


def test_lens_words_can_be_read_on_their_cells() -> None:
    figure = figures.draw(samples.lens())
    behind = theme.value_colours(np.ravel(figure.data[0].z), 0, 1, "viridis")
    for ink, ground in zip(figure.data[1].textfont.color, behind, strict=True):
        assert theme.contrast(ink, ground) >= 4.5


def test_token_text_of_an_unknown_id_is_its_number() -> None:
    assert logit_lens.token_text(samples.lens(), 99) == "#99"
