"""The causal page: what it asks for, how a grid fills, and how a link and a circuit's JSON bring a view back."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backends.errors import Refused
from backends.jobs.engine import State
from backends.requests import key_of
from tests.viz import causal_samples
from tests.viz.fakes import EXAMPLES, FakeEngine
from viz.pages.causal import circuits, corrupted_input, edit_heads, effect_grid, page
from viz.pages.causal import results as views

OFFERS = ["answer", "attention", "components", "generation", "gradient", "heads", "next_token", "residual", "tokens",
          "unembedding"]  # fmt: skip
LM: dict[str, Any] = {
    "name": "bundled/names", "revision": "1", "task": "causal-lm", "offers": OFFERS, "withdrawn": {}, "layers": 3,
    "heads": 4, "labels": [],
}  # fmt: skip
BERT = {
    **LM, "name": "bundled/triage",
    "offers": [o for o in OFFERS if o not in ("components", "unembedding", "next_token")],
    "withdrawn": {"components": "its blocks norm the sum"},
}  # fmt: skip
CNN = {**LM, "name": "bundled/radiograph", "task": "image", "offers": ["answer", "gradient", "pixels"]}
VIT = {**BERT, "name": "bundled/radiograph-vit", "offers": [*BERT["offers"], "pixels"]}
GIVEN = {"digest": "a" * 64, "text": "When Mary"}
BOTH = {"digest": "b" * 64}
CALL = (LM, GIVEN, None, BOTH, [], {}, "logit")


def test_patching_is_asked_for_with_its_preview_of_the_same_site() -> None:
    options = {"activation_patching": {"site": "mlp"}}
    asked = page.sweep_requests(LM, GIVEN, ["Mary", "John"], BOTH, [], options, "probability", "activation_patching")
    assert list(asked) == ["preview", "exact"]
    assert asked["exact"]["input"] == BOTH["digest"]
    for request in asked.values():
        assert request["options"]["site"] == "mlp"
        assert request["options"]["metric"] == "probability"
        assert request["target"] == ["Mary", "John"]


@pytest.mark.parametrize(("method", "digest"), [("head_ablation", "b"), ("knockout", "a"), ("causal_tracing", "b")])
def test_other_sweeps_take_the_pair_where_they_can(method: str, digest: str) -> None:
    asked = page.sweep_requests(LM, GIVEN, None, BOTH, [3, 4], {}, "logit", method)
    assert list(asked) == ["exact"]
    assert asked["exact"]["input"] == digest * 64
    if method == "causal_tracing":
        assert list(asked["exact"]["options"]["subject"]) == [3, 4]


def test_without_a_pair_only_what_needs_none_is_asked_for() -> None:
    assert page.sweep_requests(LM, GIVEN, None, None, [], {}, "logit", "activation_patching") == {}
    assert page.sweep_requests(LM, GIVEN, None, None, [], {}, "logit", "head_ablation")["exact"]["input"] == "a" * 64
    assert page.sweep_requests(LM, GIVEN, None, {"pending": True}, [], {}, "logit", "head_ablation") == {}
    assert page.sweep_requests(CNN, GIVEN, None, BOTH, [], {}, "logit", "head_ablation") == {}
    assert page.sweep_requests(LM, None, None, BOTH, [], {}, "logit", "head_ablation") == {}


def test_a_pair_counts_once_the_model_has_read_both() -> None:
    pair = {"of": "a" * 64, "digest": "b" * 64}
    assert page.usable(GIVEN, pair, None) == {"pending": True}
    assert page.usable(GIVEN, {**pair, "of": "c" * 64}, {"pair": "b" * 64}) == {"pending": True}
    assert page.usable(GIVEN, pair, {"pair": "b" * 64}) == {"digest": "b" * 64}
    assert page.usable(GIVEN, pair, {"pair": "b" * 64, "failed": "unequal"}) is None
    assert page.usable(GIVEN, None, None) is None


def test_the_other_views_and_the_circuits_heads() -> None:
    asked = page.view_requests(LM, GIVEN, None, BOTH, {}, "logit", "circuit", ["1.10", "1.2", "0.3"])
    assert list(asked["circuit"]["options"]["heads"]) == ["0.3", "1.2", "1.10"]
    assert page.view_requests(LM, GIVEN, None, BOTH, {}, "logit", "parts", [])["parts"]["input"] == "a" * 64
    assert page.view_requests(BERT, GIVEN, None, BOTH, {}, "logit", "parts", []) == {}


def test_try_it_asks_for_all_changes_together() -> None:
    assert list(page.try_requests(LM, GIVEN, None, "logit", [], [], 0)) == ["heads"]
    asked = page.try_requests(LM, GIVEN, None, "logit", ["0.0"], ["1.0.5.3"], 0.5)
    options = asked["changed"]["options"]
    assert list(options["heads"]) == ["0.0"]
    assert list(options["edges"]) == ["1.0.5.3"]
    assert (options["alpha"], options["tokens"]) == (0.5, edit_heads.ADDED)
    with pytest.raises(Refused, match="must be a number from 0 to 1000"):
        page.try_requests(LM, GIVEN, None, "logit", ["0.0"], [], "much")


def test_what_a_model_lacks_gets_its_sentence() -> None:
    assert page.missing(LM) == {}
    told = page.missing(BERT)
    assert set(told) == {"parts", "rivals"}
    assert "its blocks norm the sum" in told["parts"]
    assert "no matrix was found that reads its answer" in told["rivals"]
    assert "no blocks were found in it" in str(views.absent(CNN))
    assert "/attribution" in str(views.absent(CNN))


def test_a_link_asks_only_for_what_there_is() -> None:
    assert page.unknown({"tab": "places"}) == []
    assert "“Place by place” is shown instead" in page.unknown({"tab": "nonsense"})[0]
    assert edit_heads.heads_of({"off": "0.0,1.1,x,0.0,<b>"}, "off") == ["0.0", "1.1"]
    assert edit_heads.edges_of({"edges": "1.0.5.3,*.*.5.0,1.2"}) == ["1.0.5.3", "*.*.5.0"]
    assert corrupted_input.span_of({"span": "3,4,x,-1"}) == [3, 4]
    assert views.options_of({"options": "{nonsense"}) == {}
    assert views.options_of({"options": '{"nothing": {}, "circuit": {"seed": 2}}'})["circuit"]["seed"] == 2
    assert "causal-grid" in str(page.layout(tab="places", off="0.0", edges="no"))


def test_only_changed_options_stand_in_the_link() -> None:
    there = views.options_of({})
    assert views.differing(there) == {}
    assert views.differing({"circuit": {"ablation": "mean"}}) == {"circuit": {"ablation": "mean"}}
    assert views.differing({"activation_patching": {"site": "heads"}}) == {"activation_patching": {"site": "heads"}}


def test_a_grid_is_drawn_from_its_numbers() -> None:
    result = causal_samples.grid()
    shown = effect_grid.of_result(result, "k" * 64)
    assert shown is not None
    assert shown["columns"][1] == "·Mary"
    assert shown["values"][0][3] == 1.0
    assert shown["ends"] == [-1.0, 1.0]
    assert not shown["filling"]
    assert shown["asked"] == "k" * 64
    assert "layer 0, “·John” (3): 1.00" in effect_grid.strongest(shown)
    other = dataclasses.replace(
        result,
        facts={**result.facts, "corrupted_tokens": [*causal_samples.WORDS[:3], " Sue", *causal_samples.WORDS[4:]]},
    )
    drawn = effect_grid.of_result(other, "k" * 64)
    assert drawn is not None
    assert drawn["other"] == ["", "", "", "·Sue", "", ""]
    assert effect_grid.of_result(causal_samples.changes(), "k") is None


def test_a_grid_that_fills_leaves_unknown_cells_open() -> None:
    shown = effect_grid.of_preview([[None, None], [0.5, -0.25]], "position", ["a", "b"], "share", None, "", None)
    assert shown["values"] == [[None, None], [0.5, -0.25]]
    assert shown["filling"]
    assert effect_grid.computed(shown) == (2, 4)
    assert shown["columns"] == ["a", "b"]
    assert effect_grid.of_preview([[0.5, 0.1, 0.2]], "head", ["a", "b", "c"], "share", None, "", None)["columns"] == [
        "0",
        "1",
        "2",
    ]


def test_patches_lie_on_the_picture() -> None:
    patches = {"grid": [2, 2], "first": 1}
    shown = effect_grid.of_preview([[None, 0.1, 0.2, 0.3, 0.4]], "position", [], "share", None, "/inputs/x", patches)
    assert shown["image"] == "/inputs/x"
    assert shown["columns"] == ["[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2"]
    heads = effect_grid.of_preview([[0.1, 0.2]], "head", [], "share", None, "/inputs/x", patches)
    assert heads["image"] == ""


def test_the_grid_shows_what_the_job_has_so_far(engine: FakeEngine) -> None:
    requests = page.sweep_requests(*CALL, "activation_patching")
    key = key_of(requests["exact"])
    beside = {"pair": BOTH["digest"], "tokens": ["a", "b"], "other": ["a", "c"], "patches": None}
    assert views.filling(engine, requests, beside, GIVEN) is None
    engine.states[key] = State("running", 0.5, preview={"effect": [[None, None], [0.5, 0.25]]})
    grid = views.filling(engine, requests, beside, GIVEN)
    assert grid is not None
    assert grid["asked"] == key
    assert grid["said"] == ["Filling: 2 of 4 cells."]
    assert grid["columns"] == ["a", "b"]
    assert grid["other"] == ["", "c"]
    stopped, *_ = views.places(engine, {"sentences": {"exact": "cancelled"}}, requests, beside, GIVEN)
    assert stopped == {"stopped": True, "asked": key}
    assert views.filling(engine, {}, beside, GIVEN) is None


def test_the_whole_grid_stands_beside_its_preview(engine: FakeEngine) -> None:
    requests = page.sweep_requests(*CALL, "activation_patching")
    keys = {name: key_of(request) for name, request in requests.items()}
    exact = causal_samples.grid()
    near = dataclasses.replace(exact, method="attribution_patching", facts={**exact.facts, "approximate": True})
    engine.store.put_result(keys["preview"], near)
    grid, preview, words, saves, _ = views.places(engine, {"keys": {"preview": keys["preview"]}}, requests, None, GIVEN)
    assert "empty" in grid
    assert preview is not None
    assert "once that is there" in str(words)
    engine.store.put_result(keys["exact"], exact)
    grid, preview, words, saves, _ = views.places(engine, {"keys": keys}, requests, None, GIVEN)
    assert "clean 7.9 logit · corrupted −6.2 logit" in grid["said"]
    assert "approximate" in str(words)
    assert "Correlation with the exact grid: 1.00; on its scale." in str(words)
    assert keys["exact"] in str(saves)


def test_the_preview_is_drawn_on_the_exact_grids_scale(engine: FakeEngine) -> None:
    requests = page.sweep_requests(*CALL, "activation_patching")
    keys = {name: key_of(request) for name, request in requests.items()}
    exact = causal_samples.grid()
    far = exact.arrays["effect"] * 1
    far[0, 0], far[1, 1] = -4.0, 3.0
    near = dataclasses.replace(exact, method="attribution_patching", arrays={**exact.arrays, "effect": far})
    engine.store.put_result(keys["preview"], near)
    alone = views.places(engine, {"keys": {"preview": keys["preview"]}}, requests, None, GIVEN)[1]
    assert alone["ends"] == [-4.0, 4.0]
    engine.store.put_result(keys["exact"], exact)
    grid, preview, words, *_ = views.places(engine, {"keys": keys}, requests, None, GIVEN)
    assert preview["ends"] == grid["ends"] == [-1.0, 1.0]
    assert preview["values"][0][0] == -4.0
    assert "2 values lie beyond the shared scale" in str(words)


def test_a_grid_of_whole_forwards_says_so() -> None:
    result = causal_samples.grid()
    slow = dataclasses.replace(result, facts={**result.facts, "exact_replay": False})
    assert views.whole(result) == []
    assert "each cell is a whole forward" in views.whole(slow)[0]


def test_an_empty_grid_says_why(engine: FakeEngine) -> None:
    assert "give an input" in views.places(engine, {}, {}, None, None)[0]["empty"]
    assert "mend the corrupted one" in views.places(engine, {}, {}, {"failed": "unequal"}, GIVEN)[0]["empty"]


@pytest.mark.parametrize("tab", ["parts", "rivals", "looks"])
def test_views_are_drawn(engine: FakeEngine, tab: str) -> None:
    sample = {"parts": causal_samples.logit_attribution, "rivals": causal_samples.competition,
              "looks": causal_samples.statistics}[tab]()  # fmt: skip
    key = "c" * 64
    engine.store.put_result(key, sample)
    shown = views.rest(engine, {"keys": {tab: key}}, tab, "2", False, tuple(page.VIEWS))
    drawn = dict(zip(("parts", "rivals", "looks"), shown[:3], strict=True))[tab]
    assert "Graph" in str(drawn)
    assert key in str(shown[3 + list(page.VIEWS).index(tab)])
    if tab == "parts":
        assert shown[-1] == "2"
        assert shown[-2][1]["label"] == "0 “When”"
    if tab == "looks":
        assert "Specialization" in str(drawn)
        table = str(drawn).split("Head by head")[1]
        top = np.unravel_index(sample.arrays["deviation"].argmax(), (2, 3))
        assert table.index(f"{top[0]}.{top[1]}") < min(
            table.index(f"'{a}.{b}'") for a in range(2) for b in range(3) if (a, b) != top
        )
        assert "−0.10" in str(drawn)
    if tab == "rivals":
        assert "ends ahead of" in str(drawn)
        assert "took the lead after the MLP of layer 0." in str(drawn)


def test_what_was_tried_is_told_before_and_after(engine: FakeEngine) -> None:
    compared = [{"label": "Mary", "before": 0.9, "after": 0.2}, {"label": "John", "before": 0.1, "after": 0.7}]
    facts = {"compared": compared, "together": -3.5, "continued": [" Mary.", " John."]}
    result = dataclasses.replace(causal_samples.changes(), facts=facts, target="Mary")
    said = str(edit_heads.told(result, True))
    assert "The answer is now “John” instead of “Mary”." in said
    assert "moves by −3.500" in said
    assert "·John." in said
    assert "·John." not in str(edit_heads.told(result, False))
    empty = views.tried(engine, {}, {"heads": {}}, LM)
    assert "Nothing is changed" in str(empty[2])


def test_edges_are_checked_as_they_are_typed() -> None:
    assert edit_heads.with_edge(["1.0.5.3"], " *.*.5.0 ") == ["1.0.5.3", "*.*.5.0"]
    with pytest.raises(Refused, match=r"an edge is four numbers, layer.head.query.key"):
        edit_heads.with_edge([], "1.0")
    with pytest.raises(Refused, match="at most 64 edges"):
        edit_heads.with_edge([f"0.0.0.{i}" for i in range(64)], "1.0.5.3")


def test_edges_are_chosen_by_tokens_and_told_in_words() -> None:
    prediction = {"tokens": ["When", " Mary"], "patches": None}
    layers, heads, looks, seen = edit_heads.ends(LM, prediction)
    assert [len(options) for options in (layers, heads, looks, seen)] == [4, 5, 3, 3]
    assert looks[2] == {"label": "1 ·Mary", "value": "1"}
    assert edit_heads.start(seen) == "*"
    words = edit_heads.edge_words("1.0.1.0", edit_heads.tokens(prediction))
    assert words == "head 1.0: “·Mary” (1) looking at “When” (0)"
    assert edit_heads.edge_words("*.*.1.*", []) == "everywhere: 1 looking at all tokens"
    assert edit_heads.edge_words("*.2.1.*", []).startswith("head 2 of all layers")
    assert edit_heads.edge_words("2.*.1.*", []).startswith("all heads of layer 2")
    film = {"tokens": [], "patches": {"grid": [2, 2], "first": 1}}
    assert edit_heads.tokens(film) == ["[CLS]", "r1 c1", "r1 c2", "r2 c1", "r2 c2"]
    assert "r1 c2" in str(edit_heads.chip("0.0.2.0", edit_heads.tokens(film)))
    with pytest.raises(Refused, match="all of both is the whole head"):
        edit_heads.with_edge([], "0.0.*.*")


def upload(given: Any) -> str:
    return "data:application/json;base64," + base64.b64encode(json.dumps(given).encode()).decode()


def test_a_circuit_goes_out_as_json_and_comes_back() -> None:
    written = {"format": "vitrine-circuit", "heads": ["0.0", "1.1"], "ablation": "mean", "metric": "logit"}
    result = dataclasses.replace(causal_samples.circuit(), facts={"circuit": written})
    heads, options = circuits.opened(upload(json.loads(circuits.written(result))), LM)
    assert heads == ["0.0", "1.1"]
    assert options == {"ablation": "mean", "metric": "logit"}
    assert circuits.opened(upload({"facts": {"circuit": written}}), LM)[0] == ["0.0", "1.1"]


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ("data:,!", "this file is no JSON"),
        (upload([1]), "this is no circuit"),
        (upload({"format": "vitrine-circuit", "heads": ["x"]}), "given as layer.head, such as 2.1, not 'x'"),
        (upload({"format": "vitrine-circuit", "heads": ["7.0"]}), "has head 7.0, and bundled/names has 3 layers of 4"),
        (upload("x" * 300_000), "has at most 195 KB, not 292"),
    ],
)
def test_what_is_no_circuit_of_this_model_is_refused(contents: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        circuits.opened(contents, LM)


def test_the_three_criteria_in_words() -> None:
    result = causal_samples.circuit()
    arrays = {**result.arrays, "minimality": np.array([0.5, 0.02, 0.3], np.float32)}
    facts = {"faithfulness": 0.97, "completeness_gap": 0.1, "minimality_least": 0.02, "ablation": "resample"}
    whole = dataclasses.replace(result, arrays=arrays, axes={**result.axes, "minimality": ("member",)}, facts=facts)
    said = str(circuits.criteria(whole))
    assert "3: 0.0, 1.0, 1.1" in said
    assert "0.97" in said
    assert "(1.0) changes: near 0" in said
    assert "values for the corrupted input" in said
    assert "Graph" in str(views.graph(result, 0.05, False))
    alone = dataclasses.replace(result, arrays={"effect": result.arrays["effect"]}, axes={"effect": ("layer", "head")})
    assert "With a corrupted input" in str(views.graph(alone, 0.05, False))


def test_a_circuit_is_replayed_by_lines_that_can_be_pasted() -> None:
    result = dataclasses.replace(
        causal_samples.circuit(),
        facts={"text": "It's Mary", "corrupted_text": "It's John", "corrupted_tokens": []},
        request={"model": "bundled/names", "target": ["Mary", "John"]},
    )
    said = str(circuits.command(result))
    assert "--input 'It'\"'\"'s Mary'" in said.replace("\\'", "'")
    assert "--target 'Mary|John'" in said.replace("\\'", "'")
    assert "circuit.options(json.load" in said
    assert "from backends.methods.causal import circuit" in said
    from backends.methods.causal import circuit

    assert callable(circuit.options)


@pytest.fixture
def pair(engine: FakeEngine) -> dict[str, Any]:
    """An input that the store keeps."""
    raw = {"text": EXAMPLES["bundled/names"][0]["input"]}
    return {"digest": engine.store.put_input(raw), **raw}


def test_a_typed_text_makes_a_pair_and_buttons_ask_for_one(engine: FakeEngine, pair: dict[str, Any]) -> None:
    requests, made, *_ = corrupted_input.begun(engine, LM, pair, "use", "another text", None, [], None, {}, 1)
    assert requests == {}
    assert engine.store.get_input(made["digest"]) == {
        "clean": {"text": pair["text"]},
        "corrupted": {"text": "another text"},
    }
    assert corrupted_input.link_params(made, [2]) == {"span": "2", "other": "another text"}
    requests, *_ = corrupted_input.begun(engine, LM, pair, "resample", "", "Sue", [2, 3], None, {}, 5)
    assert requests["made"]["tokens"] == [2, 3]
    assert requests["made"]["seed"] == 5
    assert "word" not in requests["made"]
    requests, *_ = corrupted_input.begun(engine, LM, pair, "swap", "", " Sue ", [2], None, {}, 5)
    assert requests["made"]["word"] == "Sue"
    with pytest.raises(Refused, match="the corrupted text is empty"):
        corrupted_input.begun(engine, LM, pair, "use", " ", None, [], None, {}, 1)


def test_a_new_input_gets_a_corruption_and_a_link_its_own(engine: FakeEngine, pair: dict[str, Any]) -> None:
    call = (engine, LM, pair, "input", "", None, [])
    assert corrupted_input.begun(*call, None, {}, 0)[0]["first"]["how"] == "swap"
    assert (
        corrupted_input.begun(engine, BERT, pair, "input", "", None, [], None, {}, 0)[0]["first"]["how"] == "resample"
    )
    linked = corrupted_input.linked({"made": '{"how": "resample", "tokens": [4], "seed": 2, "x": 1}'})
    assert linked == {"recipe": {"how": "resample", "tokens": [4], "seed": 2}}
    requests, _, _, _, kept = corrupted_input.begun(*call, None, linked, 0)
    assert requests["made"]["seed"] == 2
    assert kept["of"] == pair["digest"]
    other = {**pair, "digest": "f" * 64}
    assert "first" in corrupted_input.begun(engine, LM, other, "input", "", None, [], None, kept, 0)[0]
    assert corrupted_input.linked({"other": "typed", "made": "{}"}) == {"text": "typed"}
    assert corrupted_input.linked({"made": '{"how": "explode"}'}) == {}
    assert corrupted_input.begun(engine, CNN, None, "input", "", None, [], None, {}, 0)[0] == {}


def test_where_no_name_can_be_swapped_words_are_resampled(engine: FakeEngine, pair: dict[str, Any]) -> None:
    first = {"first": corrupted_input.corrupt_request(LM, pair, corrupted_input.first_recipe(LM))}
    failed = {"sentences": {"first": "no name stands twice"}}
    _, again = corrupted_input.arrived(engine, failed, first, pair, LM)
    assert again["first"]["how"] == "resample"
    told = {"clean": pair["digest"], "corrupted": "d" * 64, "pair": "e" * 64, "text": "other", "tokens": [[], []]}
    key = key_of(first["first"])
    engine.store.put_document(key, told)
    made, _ = corrupted_input.arrived(engine, {"keys": {"first": key}}, first, pair, LM)
    assert made["digest"] == "e" * 64
    assert corrupted_input.link_params(made, []) == {"span": "", "made": {"how": "swap"}}


def test_texts_of_two_lengths_get_a_sentence_and_their_alignment(engine: FakeEngine) -> None:
    key = "9" * 64
    told = {"unequal": "3 tokens and 2", "opposite": [["a", "a"], [" John", ""], [" left", " left"]]}
    engine.store.put_document(key, told)
    pair = {"of": "a" * 64, "digest": "b" * 64, "corrupted": "c" * 64, "text": "a left"}
    known, shown, text = corrupted_input.beside(engine, {"keys": {"both": key}, "asked": {"both": key}}, pair, LM, [])
    assert known == {"pair": "b" * 64, "failed": "3 tokens and 2"}
    assert "3 tokens and 2" in str(shown)
    assert "data-token" not in str(shown)
    assert str(shown).count("differs") == 1
    assert text == "a left"
    assert page.usable(GIVEN, {**pair, "of": GIVEN["digest"]}, known) is None


def png(grey: int) -> bytes:
    """A small grey picture."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_another_picture_is_compared_with(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    films = [{"name": "Nodule", "label": "lesion", "truth": {"lesion": "x"}, "input": "0"},
             {"name": "Tag", "label": "none", "truth": {"tag": "x"}, "input": "1"},
             {"name": "Clear", "label": "none", "truth": {}, "input": "2"}]  # fmt: skip
    raws = [{"image": png(40 * i)} for i in range(3)]
    monkeypatch.setattr(corrupted_input.inputs, "examples_of", lambda card: films)
    monkeypatch.setattr(corrupted_input.inputs, "raw_of", lambda card, example: raws[int(example["input"])])
    monkeypatch.setattr(corrupted_input.inputs, "example_image", lambda card, index: f"/examples/{index}")
    given = {"digest": engine.store.put_input(raws[0]), "image": True, "example": 0}
    assert corrupted_input.first_picture(VIT, given) == 2
    assert corrupted_input.first_picture(VIT, {"digest": "x", "image": True}) is None
    requests, pair, *_ = corrupted_input.begun(engine, VIT, given, "input", None, None, [], None, {}, 0)
    assert requests == {}
    assert pair["picture"] == 2
    assert set(engine.store.get_input(pair["digest"])) == {"clean", "corrupted"}
    assert corrupted_input.link_params(pair, []) == {"span": "", "against": "2"}
    assert corrupted_input.linked({"against": "1"}) == {"picture": 1}
    linked = corrupted_input.begun(engine, VIT, given, "input", None, None, [], None, {"picture": 1}, 0)[1]
    assert linked["picture"] == 1
    buttons = str(corrupted_input.other_pictures(VIT, given, pair))
    assert buttons.count("example chosen") == 1
    assert "/examples/0" not in buttons
    assert corrupted_input.other_pictures(LM, given, pair) == []
    with pytest.raises(Refused, match="this is the clean picture itself"):
        corrupted_input.begun(engine, VIT, given, 0, None, None, [], None, {}, 0)
    with pytest.raises(Refused, match="3 examples, not one numbered 7"):
        corrupted_input.begun(engine, VIT, given, 7, None, None, [], None, {}, 0)
    sent = "data:image/png;base64," + base64.b64encode(png(200)).decode()
    own = corrupted_input.begun(engine, VIT, given, "upload", None, None, [], None, {}, 0, sent)[1]
    assert len(own["picture"]) == 64
    assert corrupted_input.linked(corrupted_input.link_params(own, [])) == {"picture": own["picture"]}


def test_both_inputs_are_shown_token_above_token(engine: FakeEngine) -> None:
    key = "9" * 64
    answers = [{"label": "Mary", "probability": 0.9, "logit": 1.0}]
    told = {
        "prediction": answers,
        "tokens": ["a", " John"],
        "corrupted": {"prediction": answers, "tokens": ["a", " Sue"]},
    }
    engine.store.put_document(key, told)
    pair = {"of": "a" * 64, "digest": "b" * 64, "corrupted": "c" * 64, "made_text": "a Sue"}
    known, shown, text = corrupted_input.beside(engine, {"keys": {"both": key}, "asked": {"both": key}}, pair, LM, [1])
    assert known["other"] == ["a", " Sue"]
    assert text == "a Sue"
    assert "·Sue" in str(shown)
    assert "Clean" in str(shown)
    failed, *_ = corrupted_input.beside(engine, {"sentences": {"both": "14 and 13 tokens"}}, pair, LM, [])
    assert failed == {"pair": "b" * 64, "failed": "14 and 13 tokens"}
    film = {**told, "tokens": [], "patches": {"grid": [2, 2], "first": 1}}
    assert str(corrupted_input.shown(pair, film, [2])).count("data-token") == 4


def test_a_patching_grid_can_be_tested_by_another_corruption_and_no_other() -> None:
    asked = {"exact": {"job": "run", "method": "activation_patching"}}
    done = {"keys": {"exact": "1" * 64}}
    assert page.repeatable(done, asked) == {"exact": ("This grid", asked["exact"], {})}
    assert page.repeatable(None, asked) == {}
    assert page.repeatable(done, {"exact": {"job": "run", "method": "causal_tracing"}}) == {}
