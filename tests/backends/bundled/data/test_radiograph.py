"""Films differ from their twins inside their masks only, and the tag follows its rule."""

from __future__ import annotations

import pytest

from backends.bundled.data import radiograph


def test_a_film_differs_from_its_clean_twin_inside_the_lesion_mask_only():
    made = radiograph.phantoms(5, 200)
    changed = made.images != made.clean
    assert not changed[~made.lesions].any()
    assert changed[made.lesions].mean() > 0.97
    assert (made.lesions.any((1, 2)) == (made.labels == 1)).all()


def test_a_film_differs_by_its_tag_inside_the_tag_mask_only():
    tagged, plain = radiograph.phantoms(5, 200, tag="agree"), radiograph.phantoms(5, 200, tag="none")
    assert ((tagged.images != plain.images) <= tagged.tags).all()
    assert (tagged.images[tagged.tags] > 240).all()
    assert not (tagged.tags & tagged.lesions).any()


@pytest.mark.parametrize(("tag", "share"), [("agree", 1.0), ("contradict", 0.0), ("random", 0.5)])
def test_the_tag_rule_says_what_the_tag_tells_of_the_label(tag: str, share: float):
    made = radiograph.phantoms(6, 600, tag=tag)
    agrees = made.tags.any((1, 2)) == (made.labels == 1)
    assert agrees.mean() == pytest.approx(share, abs=0.08 if tag == "random" else 0)


def test_an_unknown_tag_rule_is_refused():
    with pytest.raises(ValueError, match="no tag rule 'sometimes'; there are: agree"):
        radiograph.phantoms(0, 2, tag="sometimes")


def test_the_films_repeat_themselves_and_heed_the_seed():
    first, again, other = (radiograph.phantoms(seed, 8).images for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()
