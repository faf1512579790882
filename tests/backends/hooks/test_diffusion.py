"""Recording word attention: the same picture, the right numbers, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from backends.errors import Cancelled, Refused
from backends.hooks import diffusion as cd
from backends.methods.diffusion import word_fold
from backends.models.families.diffusion import Diffusion
from tests.backends import pipelines
from tests.backends.pipelines import PROMPT, SHAPES

CALL: dict[str, Any] = {"num_inference_steps": 3, "output_type": "np"}


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks are slower on many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=list(SHAPES))
def model(request: pytest.FixtureRequest) -> Diffusion:
    return Diffusion.of(SHAPES[request.param](), request.param)


def processors(model: Diffusion) -> list[Any]:
    return list(model.bare.attn_processors.values())


def plain(model: Diffusion, **more: Any) -> np.ndarray:
    """What the pipeline draws when nobody looks."""
    chance = torch.Generator().manual_seed(5)
    return model.pipeline(PROMPT, height=64, width=96, generator=chance, **CALL, **more).images


def watched(model: Diffusion, maps: cd.Maps, **more: Any) -> np.ndarray:
    """The same while maps are recorded."""
    given = {"steps": 3, "guidance": 4.0, "seed": 5, "height": 64, "width": 96} | more
    with cd.watch_layers(model.network, model.layers_, maps):
        return model.draw(model.encode(PROMPT), **given).images


@pytest.fixture(autouse=True)
def all_layers(model: Diffusion | None = None):
    """Give models their layers without the probe."""
    Diffusion.layers_ = property(lambda self: tuple(x for x in cd.find_layers(self.bare) if not x.middle))  # type: ignore[attr-defined]
    yield
    del Diffusion.layers_  # type: ignore[attr-defined]


@pytest.mark.parametrize("apart", [False, True])
def test_the_picture_is_bit_for_bit_the_same(model: Diffusion, apart: bool) -> None:
    before = processors(model)
    maps = cd.Maps(apart=apart)
    assert np.array_equal(plain(model, guidance_scale=4.0), watched(model, maps))
    assert maps.sums
    maps.check(range(len(model.layers_)), 3)
    assert all(a is b for a, b in zip(processors(model), before, strict=True))


# An independent computation: what torch's own kernel was given, put through the paper's formula by hand


class Kernel(TorchFunctionMode):
    """Keeps query and key of every call of the attention kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if function is F.scaled_dot_product_attention:
            named = dict(zip(("query", "key"), args, strict=False)) | (kwargs or {})
            self.calls.append((named["query"], named["key"]))
        return function(*args, **(kwargs or {}))


def words_probabilities(query: torch.Tensor, key: torch.Tensor, kind: str, text: int, pictures: int) -> torch.Tensor:
    """(picture, head, place, token) in float64, of the conditional part of a batch."""
    query, key = query[-pictures:].double(), key[-pictures:].double()
    probability = torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, -1)
    if kind == "cross":
        return probability
    return probability[:, :, :-text, -text:] if kind == "joint image first" else probability[:, :, text:, :text]


def by_hand(model: Diffusion, draw: Callable[[], Any], latent: tuple[int, int], pictures: int, forwards: int) -> Any:
    """DAAM's maps (picture, token, row, column) of everything `draw` did, with loops and no code of ours."""
    text = sum(length for _, length in model.encoders())
    with Kernel() as kernel:
        draw()
    sums: dict[int, torch.Tensor] = {}
    layers = model.layers_
    words = [(q, k) for q, k in kernel.calls if q.shape[2] > 0 and is_word_call(q, k, model, text)]
    per_forward = len(layers)
    for index, (query, key) in enumerate(words):
        forward, layer = divmod(index, per_forward)
        if forward % forwards == 0:
            found = words_probabilities(query, key, layers[layer].kind, text, pictures)
            sums[layer] = sums.get(layer, 0) + found
    maps = []
    for found in sums.values():
        for head in range(found.shape[1]):
            places = found[:, head].transpose(1, 2)  # (picture, token, place)
            grid = places.reshape(pictures, -1, *fitting(latent, places.shape[-1]))
            maps.append(F.interpolate(grid, size=latent, mode="bicubic").clamp(min=0))
    return torch.stack(maps).mean(0)


def is_word_call(query: torch.Tensor, key: torch.Tensor, model: Diffusion, text: int) -> bool:
    """Whether a call of the kernel is one of the layers of words, and not of a text encoder, a VAE or the middle."""
    if hasattr(model.bare, "down_blocks"):
        return key.shape[2] == text and query.shape[2] in (96, 24)  # the two resolutions of 8 × 12 latents
    return key.shape[2] > text and query.shape[2] == key.shape[2]


def fitting(latent: tuple[int, int], places: int) -> tuple[int, int]:
    """Rows and columns of a layer."""
    return next((latent[0] // k, latent[1] // k) for k in (1, 2, 4) if latent[0] * latent[1] // k**2 == places)


@pytest.mark.parametrize("case", ["guided", "unguided", "two pictures", "negative"])
def test_maps_equal_an_independent_computation(model: Diffusion, case: str) -> None:
    pictures = 2 if case == "two pictures" else 1
    given: dict[str, Any] = {"guidance": 1.0 if case == "unguided" else 4.0, "pictures": pictures}
    given |= {"negative": "blue"} if case == "negative" else {}
    forwards = 2 if model.separate and case == "negative" else 1
    maps = cd.Maps(pictures=pictures, apart=True, forwards=forwards)
    watched(model, maps, **given)
    latent = (8, 12)
    ours = word_fold.fold(maps.sums, model.layers_, [layer.heads for layer in model.layers_], latent).total

    def draw() -> None:
        model.draw(model.encode(PROMPT), steps=3, seed=5, height=64, width=96, **given)

    for layer in cd.find_layers(model.bare):
        if layer.middle:  # it must not be counted by hand either: another kernel computes it
            model.bare.get_submodule(layer.path).set_processor(AttnProcessor())
    theirs = by_hand(model, draw, latent, pictures, forwards)
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) < 1e-5


def test_a_place_gives_all_its_attention_to_the_text_in_each_step() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    maps = cd.Maps()
    watched(model, maps)
    for found in maps.sums.values():  # (picture, token, place)
        assert found.shape[1] == 32
        assert found.sum(1).numpy() == pytest.approx(3, abs=1e-5)


def test_sums_do_not_grow_with_the_steps() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    sizes = []
    for steps in (2, 6):
        maps = cd.Maps()
        watched(model, maps, steps=steps)
        sizes.append([found.shape for found in maps.sums.values()])
    assert sizes[0] == sizes[1]


def test_pieces_of_the_softmax_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    found = []
    for size in (2**22, 100):
        monkeypatch.setattr(cd, "PIECE", size)
        maps = cd.Maps(columns=[1, 3])
        watched(model, maps)
        found.append(maps.sums)
    for layer, sums in found[0].items():
        assert sums.shape[1] == 2
        assert torch.allclose(sums, found[1][layer], atol=1e-6)


@pytest.mark.parametrize("where", ["tick", "step"])
def test_everything_comes_back_when_a_run_is_stopped(where: str) -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    before, scheduler = processors(model), model.pipeline.scheduler
    calls = 0

    def stop(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Cancelled("stop")

    maps = cd.Maps(tick=stop) if where == "tick" else cd.Maps()
    with pytest.raises(Cancelled), cd.watch_layers(model.network, model.layers_, maps):
        model.draw(model.encode(PROMPT), steps=8, guidance=4.0, **({} if where == "tick" else {"after": stop}))
    assert processors(model) == before
    assert model.pipeline.scheduler is scheduler
    assert np.array_equal(plain(model), plain(model))


def test_slices_of_attention_are_kept_and_change_no_map() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    whole, sliced = cd.Maps(), cd.Maps()
    watched(model, whole)
    model.pipeline.enable_attention_slicing(1)
    before = processors(model)
    assert type(before[0]).__name__ == "SlicedAttnProcessor"
    reference = plain(model, guidance_scale=4.0)
    assert np.array_equal(reference, watched(model, sliced))
    assert processors(model) == before
    for layer, found in whole.sums.items():
        assert torch.allclose(found, sliced.sums[layer], atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_the_same_picture_too(dtype: torch.dtype) -> None:
    model = Diffusion.of(pipelines.sd().to(dtype), "sd")
    maps = cd.Maps()
    assert np.array_equal(plain(model, guidance_scale=4.0), watched(model, maps))
    assert all(found.dtype == torch.float32 for found in maps.sums.values())
    assert maps.sums[0].sum(1).numpy() == pytest.approx(3, abs=1e-3)


class Added(torch.nn.Module):
    """A linear layer with a low-rank part beside it, as LoRA puts into a network."""

    def __init__(self, inner: torch.nn.Linear) -> None:
        super().__init__()
        self.inner = inner
        self.down = torch.nn.Linear(inner.in_features, 2, bias=False)
        self.up = torch.nn.Linear(2, inner.out_features, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.inner(states) + self.up(self.down(states))


def test_low_rank_parts_count_in_the_maps() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    without, within = cd.Maps(), cd.Maps()
    watched(model, without)
    for layer in model.layers_:
        attention = model.bare.get_submodule(layer.path)
        attention.to_q = Added(attention.to_q)
    assert np.array_equal(plain(model, guidance_scale=4.0), watched(model, within))
    assert not torch.allclose(without.sums[0], within.sums[0], atol=1e-5)
    assert cd.measure_gap(model.network, model.layers_, lambda: plain(model, guidance_scale=1.0)) == 0


def test_a_processor_with_weights_of_its_own_keeps_them() -> None:
    from diffusers.models.attention_processor import AttnProcessor2_0

    class Weighted(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.weight = AttnProcessor2_0(), torch.nn.Parameter(torch.ones(3))

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return self.inner(*args, **kwargs)

    model = Diffusion.of(pipelines.sd(), "sd")
    attention = model.bare.get_submodule(model.layers_[0].path)
    del attention.processor
    attention.processor = Weighted()
    names = list(model.bare.state_dict())
    watched(model, cd.Maps())
    assert list(model.bare.state_dict()) == names
    assert isinstance(attention.processor, Weighted)


def test_a_shortcut_around_attention_is_told_instead_of_a_map_with_gaps() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    maps = cd.Maps()
    watched(model, maps)
    with pytest.raises(Refused, match=r"need 4 calls of each layer, but \[3\] were heard"):
        maps.check(range(len(model.layers_)), 4)


def test_guidance_that_is_not_known_is_refused() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    with pytest.raises(Refused, match="need a batch of 3 or 6, but the network gets 2: this pipeline guides"):
        watched(model, cd.Maps(pictures=3))


def test_layers_are_named_in_order_and_the_middle_is_marked() -> None:
    found = cd.find_layers(pipelines.xl().unet)
    assert [layer.short for layer in found][:3] == ["down 0.0.0", "down 1.0.0", "down 1.0.1"]
    assert [layer.middle for layer in found].count(True) == 2
    assert found[-1].short == "up 1.1.0"
    kinds = {layer.kind for layer in cd.find_layers(pipelines.flux().transformer)}
    assert kinds == {"joint text first", "single text first"}
    assert {layer.kind for layer in cd.find_layers(pipelines.sd3().transformer)} == {"joint image first"}


def test_a_grid_follows_the_latents_and_not_the_root_of_the_places() -> None:
    assert cd.find_grid((8, 12), 96) == (8, 12)
    assert cd.find_grid((8, 12), 24) == (4, 6)
    assert cd.find_grid((9, 13), 35) == (5, 7)
    with pytest.raises(Refused, match="a layer has 25 places, which no halving of 8 × 12 gives"):
        cd.find_grid((8, 12), 25)


def test_two_requests_at_once_get_their_own_maps_and_pictures() -> None:
    import backends

    model = Diffusion.of(pipelines.sd(), "sd")
    model.prepare()
    asked = [("a red", 1), ("a zebra", 2)]
    alone = [backends.run(model, "daam", text, steps=3, seed=seed) for text, seed in asked]
    together: dict[int, Any] = {}

    def run(index: int) -> None:
        text, seed = asked[index]
        together[index] = backends.run(model, "daam", text, steps=3, seed=seed)

    threads = [threading.Thread(target=run, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, one in enumerate(alone):
        for name, array in one.arrays.items():
            assert np.array_equal(array, together[index].arrays[name])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_network_is_heard() -> None:
    model = Diffusion.of(pipelines.sd(), "sd")
    maps, again = cd.Maps(), cd.Maps()
    watched(model, maps)
    layers = model.layers_
    model.pipeline.unet = torch.compile(model.pipeline.unet, backend="eager")
    with cd.watch_layers(model.network, layers, again):
        model.draw(model.encode(PROMPT), steps=3, guidance=4.0, seed=5, height=64, width=96)
    again.check(range(len(layers)), 3)
    for layer, found in maps.sums.items():
        assert torch.allclose(found, again.sums[layer], atol=1e-5)
