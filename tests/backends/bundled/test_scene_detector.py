"""What the detector sees is what was drawn."""

from __future__ import annotations

import numpy as np

from backends.bundled import scene_detector
from backends.bundled.data import scenes


def test_a_scene_is_what_its_caption_says():
    made = scenes.scenes(3, 300)
    found = scene_detector.score(made.captions, made.images)
    assert min(found.values()) >= 0.995, found
    turned = scene_detector.score([*made.captions[1:], made.captions[0]], made.images)
    assert turned["shape"] < 0.3  # the same program says no to another scene's caption
    assert turned["relation"] < 0.1
    for caption, image, masks in zip(made.captions, made.images, made.masks, strict=True):
        assert masks.any((1, 2)).tolist() == [True, len(caption.things) == 2]
        assert not (masks[0] & masks[1]).any()
        for thing, mask in zip(caption.things, masks, strict=False):
            colour, noun = (caption.text[a:b] for a, b in thing.words)
            assert (colour, noun) == (thing.colour, thing.shape)
            assert np.abs(image[mask].astype(int) - scenes.COLOURS[thing.colour]).mean() < 12
            assert scene_detector.shape_of(mask)[0] == thing.shape


def test_a_word_and_its_colour_mean_the_same_pixels():
    made = scenes.draw([scenes.caption([("red", "circle"), ("blue", "square")], "above")], 3)
    masks = scene_detector.outlines(["a", "red", "circle", "above", "a", "blue", "square"], made.images[0])
    assert (masks[1] == masks[2]).all()
    assert (masks[5] == masks[6]).all()
    assert (masks[1] & made.masks[0, 0]).sum() > 0.9 * made.masks[0, 0].sum()
    assert not masks[[0, 3, 4]].any()
