"""Infilling: what is shown stays, what is hidden is never copied, and texture goes on where it can."""

from __future__ import annotations

import numpy as np
import torch

from backends.evidence.infill import Infill, Moves, fill_smoothly


def hole(side: int = 32, at: tuple[int, int, int, int] = (10, 20, 12, 22)) -> torch.Tensor:
    made = torch.zeros(1, 1, side, side, dtype=torch.bool)
    made[..., at[0] : at[1], at[2] : at[3]] = True
    return made


def test_a_membrane_continues_what_is_around() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    ramp = torch.stack([x, 2 * y])[None]
    filled = fill_smoothly(ramp, hole())
    assert torch.equal(filled[~hole().expand_as(filled)], ramp[~hole().expand_as(ramp)])
    assert (filled - ramp).abs().max() < 1.0  # a plane is its own membrane
    flat = torch.full((1, 1, 32, 32), 3.0)
    assert torch.allclose(fill_smoothly(flat, hole()), flat)
    assert torch.isfinite(fill_smoothly(flat, torch.ones_like(hole()))).all()


def test_what_is_shown_stays_and_a_flat_picture_stays_flat() -> None:
    picture = torch.rand(1, 3, 40, 24, generator=torch.Generator().manual_seed(0))
    hidden = torch.zeros(2, 1, 40, 24, dtype=torch.bool)
    hidden[0, :, 5:15, 4:14] = True
    hidden[1, :, 30:, 10:] = True
    filled = Infill(picture)(hidden)
    kept = ~hidden.expand_as(filled)
    assert torch.equal(filled[kept], picture.expand_as(filled)[kept])
    flat = torch.full((1, 1, 32, 32), 3.0)
    assert torch.allclose(Infill(flat)(hole()), flat, atol=1e-5)
    assert torch.isfinite(Infill(flat)(torch.ones_like(hole()))).all()


def test_a_grey_picture_is_filled_alike_in_every_channel() -> None:
    grey = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(3))
    once, thrice = Infill(grey)(hole()), Infill(grey.repeat(1, 3, 1, 1))(hole())
    assert thrice.shape == (1, 3, 32, 32)
    assert torch.allclose(thrice, once.expand(-1, 3, -1, -1))
    coloured = torch.cat([grey, grey, grey * 0.5], 1)
    assert torch.allclose(Infill(coloured)(hole())[:, 2], once[:, 0] * 0.5, atol=1e-4)


def test_a_pattern_goes_on_where_a_membrane_would_wash_it_out() -> None:
    _, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    stripes = torch.sin(2 * np.pi * x / 8)[None, None]
    truth = stripes[hole()]
    assert (Infill(stripes)(hole())[hole()] - truth).abs().mean() < 0.05
    assert (fill_smoothly(stripes, hole())[hole()] - truth).abs().mean() > 0.2


def test_what_is_hidden_is_never_copied_to_another_hidden_place() -> None:
    chance = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 1, 32, 32, generator=chance)
    picture[..., 4:10, 4:10] += 50.0
    hidden = hole(at=(20, 28, 20, 28)) | hole(at=(3, 11, 3, 11))
    assert float(Infill(picture)(hidden).max()) < 2.0


def test_the_part_chosen_is_known() -> None:
    picture = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(2))
    made, covered = Infill(picture), hole()[0].float()
    source = torch.from_numpy(made.moves.source)
    there = torch.cat([covered.flatten(), torch.ones(1)])
    expected = (there[torch.where(source < 0, covered.numel(), source)] * covered.flatten()).sum(1) / covered.sum()
    assert torch.allclose(made._unknown(covered)[0], expected, atol=1e-4)
    assert float(expected[made.best(hole())]) < 0.05


def test_moves_stay_mostly_inside_and_are_no_rest() -> None:
    made = Moves(16, 20)
    assert made.source.shape == (len(made.by), 320)
    assert ((made.source >= 0).mean(1) >= 0.3).all()
    assert not ((made.by[:, 2] == 0) & (np.abs(made.by[:, :2]).max(1) < 3)).any()
