"""What can be asked: keys as they were when answers were first kept under them, and the way there and back."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from backends import requests
from backends.errors import Refused
from backends.requests import Corrupt, Forecast, Predict, Receipt, Request, Run, is_key, key_of, receipt_key
from backends.results import VERSION

DIGEST, DATA = "a" * 64, "b" * 64
TRIAGE: dict[str, Any] = {"model": "bundled/triage", "revision": "r1", "version": 3}
NAMES: dict[str, Any] = {"model": "bundled/names", "revision": "r1", "version": 3, "input": DIGEST}
SALIENCY = {"smooth": 0, "noise": 0.1, "seed": 0}
OCCLUSION = {"size": 0, "stride": 0, "baseline": "default"}
PATH = {"baseline": "default", "steps": 64, "tolerance": 0.05, "most": 120, "smooth": 0, "noise": 0.1, "seed": 0}
TESTED: dict[str, Any] = {"replacement": "mask", "effort": 2, "seed": 0}
MAP: dict[str, Any] = {**TRIAGE, "method": "saliency", "options": SALIENCY, "input": DIGEST, "target": "urgent"}
SAME: dict[str, Any] = {**TRIAGE, "method": "attention_rollout", "options": {}, "input": DIGEST, "target": None}
WINDOW = {
    "part": "decoder", "layer": 1, "head": "mean", "rows": [0, 9], "keys": None, "size": [64, 32], "sink": False,
    "special": True,
}  # fmt: skip
DRAWN = {"tokens": 12, "temperature": 0.7, "top_k": 5, "top_p": 0.9, "seed": 3}
METHODS = {"saliency": SALIENCY, "occlusion": OCCLUSION}

# Keys of the release before requests were classes. Answers that people keep are found under them: they never change.
KEPT: list[tuple[Request, str]] = [
    (
        requests.Edit(**NAMES, edits=[[0, 4], [5, 9, "Anna"]], replacement="mask"),
        "e3f84bf67a935105e837579ccbb68a9b0035b3fa9f3abaa492d11a73436613b1",
    ),
    (requests.OpenModel(**TRIAGE), "7a8ae84c85c11879e81991361c74584688865be423dd61512609353e2337070e"),
    (
        Forecast(model="gpt2", revision="hub", when=5900000, version=3),
        "c5685babae331295aab8bc617a0102612181de181519ca82687efa58555e3674",
    ),
    (Forecast(**TRIAGE, when=5900000, open=True), "a42223ea91a4399a75ed61ace44e9da140fd05d7f09886ef0a541dca71166091"),
    (
        Forecast(
            **TRIAGE, when=5900000, input=DIGEST, methods={"saliency": {}, "occlusion": {"size": 8}}, target="urgent"
        ),
        "f36382e4aa51b863dd117ce97f0c29116923ab5efb518ac9990cffa5aab94316",
    ),
    (
        Forecast(**TRIAGE, when=5900000, input=DIGEST, methods={"saliency": {}}),
        "dd291977ff8830bcdf5b71176cace65423b79b4561232fcc26526b6e33fede8a",
    ),
    (Predict(**TRIAGE, input=DIGEST), "36871f90d9216c52af494018a9a6f2e0d735222d18c91bfbce8069a5e8c03054"),
    (
        Corrupt(**NAMES, how="swap", tokens=[3], word="Mary"),
        "77f4eddcd3732ee8b04a7817259f8c1c1b85d363af85256703bddbaa2bb1c08f",
    ),
    (
        Corrupt(**NAMES, how="resample", tokens=[], seed=4),
        "8b169905238d1fac3599283b6bf7acbd71658ec5691bc87a71651510f3a3ceb8",
    ),
    (Corrupt(**NAMES, how="swap", tokens=[]), "1910200b6169895c392db61c94657426e49ec20f03138ae260ca1aa3d320638a"),
    (requests.Check(**TRIAGE, method="deep_lift"), "9f07e9431336fb4e6e19243f7632359e7df24c0e4c60a42047313712f19d474e"),
    (
        Run(**TRIAGE, method="integrated_gradients", options=PATH, input=DIGEST, target=["urgent", "soon"]),
        "41888e5a7bd63e5a197c216e53deb6288cb3d77c090d9433fcdc75e97f87ce56",
    ),
    (Run(**SAME), "de9569f9f8a6f3663fd6779ae4a1d3e9582baeffc82be82cb9699a279c7aa31a"),
    (Run(**MAP), "4e7a838e4d6b10c63be92d47e4711fd73668630266107f9c9e1580bafb0f7fb5"),
    (requests.Generate(**NAMES, options=DRAWN), "7bf69c7a5af4aa43beca5215b45c69214d8b7dbfb8ac102ea781c76591db6c9c"),
    (
        requests.Generate(**NAMES, options={"tokens": 12}),
        "161d35fbc742df33fd478507597e56298b6ca51c93b9d3c7da7ac824fc517205",
    ),
    (
        requests.AttentionWindow(**NAMES, options=WINDOW),
        "7e1113e2a3978568d06120d21ac71ade330f1389f4507bd811ff973cf869cafa",
    ),
    (requests.Table(**TRIAGE, data=DATA), "366cdf00e2b90be1d3e3a27abb4f97198e7aa6dae4cc4b418a03934f59ae9846"),
    (
        requests.MethodOverRows(
            **TRIAGE, method="occlusion", options=OCCLUSION, data=DATA, rows=[0, 2, 5], aim="class:urgent"
        ),
        "f172fe100a1537057ad3612c4285e4f2b04491ac37cf0122fece6b92b45452ea",
    ),
    (Receipt(**MAP, receipt=TESTED), "d6823e4f49400708bf8850552e57136c7f65d02689a87af3ace2630f59d6dc98"),
    (Receipt(**MAP, receipt={"word": 1}), "2eab56288ceb6847685a2f536834f83967e8106e0976d8ecbbe4430052f07a7e"),
    (requests.MethodReceipt(**MAP, receipt=TESTED), "090a8be6b0554b2424ebbd21af881025f7b0f5394d666b3384b0bd5023998ce9"),
    (
        requests.MethodReceipt(**SAME, receipt={**TESTED, "target": "urgent"}),
        "a455553924990995de7cc87c4b79879d90e09d1d2ae871144622c43fcf2bb4a7",
    ),
    (
        requests.CompareMethods(**TRIAGE, audits={"saliency": DIGEST}, region={"words": ["pain"]}),
        "17d1bf39428509c6e72dfe98d0e4c95e72ee1bba0d763d0ad25110ef38408117",
    ),
    (
        requests.CompareMethods(**TRIAGE, audits={"saliency": DIGEST}, region=None),
        "2cc846f53aae5cdf458d7db5ef3256b33b80254162132d0868c03fc71b55b984",
    ),
    (requests.Metrics(**MAP, receipt=TESTED), "d22ac52bc506963f2d828495537f05f874d48ac2bb51603b6041900e631d2e16"),
    (
        requests.ImportantParts(
            **TRIAGE, input=DIGEST, target="urgent", replacement="mask", effort=2, rate=0.05, least=0.1, seed=0
        ),
        "91b31dac6995f481d88cdf8ced5da81711d9e4da135ec1c7b801e78a49c1559c",
    ),
    (
        requests.DatasetTest(**TRIAGE, data=DATA, rows=[0, 2, 5], aim="own", methods=METHODS, receipt=TESTED),
        "bc99d9be511f24af8437612214f2499c7607f90837c2b69ccf9b4e27b7ab4927",
    ),
    (
        requests.RandomMapReceipt(**TRIAGE, planted=5, receipt=TESTED, input=DIGEST, target="soon"),
        "2c7fc632b150e2d8339e5d0d05e3f10eb5371cb5e16fab564c065982261b6147",
    ),
    (
        requests.RandomisedNetwork(**MAP, receipt=TESTED),
        "9ee69dd49ec00e46497bcefcb298c3edc8ed6487cdb3daeda3c391e10b42439a",
    ),
    (
        requests.VariantMap(**MAP, receipt=TESTED, variant="shuffled"),
        "284d199f0444c791846d892623a5d9dbdaebd1eb1c1da4a05b390798a0d6852e",
    ),
]


@pytest.mark.parametrize(("request_", "key"), KEPT, ids=[f"{r.job}-{k[:6]}" for r, k in KEPT])
def test_keys_are_those_under_which_answers_are_kept(request_: Request, key: str) -> None:
    assert request_.key() == key == key_of(request_.plain())


def test_every_request_has_a_kept_key() -> None:
    there = {c for c in vars(requests).values() if isinstance(c, type) and issubclass(c, Request)}
    assert {c for c in there if hasattr(c, "job")} == {type(made) for made, _ in KEPT}


def test_the_receipt_beside_a_result_is_where_it_was() -> None:
    assert receipt_key(DIGEST) == "25afadad4b344938b75ce11d90365b66978da9e3623696b4746e3270ae036f46"


@pytest.mark.parametrize("made", [made for made, _ in KEPT], ids=[k[:6] for _, k in KEPT])
def test_a_request_comes_back_from_its_json(made: Request) -> None:
    import json

    assert type(made).from_plain(json.loads(json.dumps(made.plain()))) == made


def test_what_is_not_said_is_not_in_the_json() -> None:
    asked = {"job": "corrupt", **NAMES, "how": "swap", "tokens": [3], "word": "Mary"}
    assert Corrupt(**NAMES, how="swap", tokens=[3], word="Mary").plain() == asked
    assert Corrupt(**NAMES, how="swap").plain() == {"job": "corrupt", **NAMES, "how": "swap"}
    assert Corrupt(**NAMES, how="swap", seed=0).recipe() == {"how": "swap", "seed": 0}
    assert set(Forecast(**TRIAGE, when=1).plain()) == {"job", "model", "revision", "version", "when"}
    assert Forecast(**TRIAGE, when=1, input=DIGEST, methods={}).plain()["target"] is None


def test_a_request_is_of_the_version_that_results_have() -> None:
    assert Predict(model="m", revision="r", input=DIGEST).version == VERSION


def test_a_map_and_its_tests_know_one_another() -> None:
    run = Run(**MAP)
    made = Receipt.of_run(run, TESTED)
    assert made == Receipt.of_run(run.plain(), TESTED) == Receipt(**MAP, receipt=TESTED)
    assert made.run() == run
    assert made.check() == requests.Check(**TRIAGE, method="saliency")
    with pytest.raises(Refused, match="this is no request for the job 'run', but 'predict'"):
        Receipt.of_run(Predict(**TRIAGE, input=DIGEST).plain(), TESTED)


ASKED, SHORT = Run(**MAP).plain(), Forecast(**TRIAGE, when=1).plain()


@pytest.mark.parametrize(
    ("kind", "plain", "sentence"),
    [
        (Run, {**ASKED, "job": "dance"}, "this is no request for the job 'run', but 'dance'"),
        (Run, ["job"], r"this is no request for the job 'run', but \"\['job'\]\""),
        (Run, {**ASKED, "colour": 1}, "the job 'run' takes no 'colour'; it takes: model, revision, version, method"),
        (Run, {n: v for n, v in ASKED.items() if n != "method"}, "the job 'run' needs 'method', and the request does"),
        (Run, {n: v for n, v in ASKED.items() if n != "version"}, "the job 'run' needs 'version', and"),
        (Run, {**ASKED, "method": 3}, "method of the job 'run' must be a text, not '3'"),
        (Run, {**ASKED, "options": []}, r"options of the job 'run' must be an object, not '\[\]'"),
        (Run, {**ASKED, "version": True}, "version of the job 'run' must be a whole number, not 'True'"),
        (Run, {**ASKED, "version": 3.5}, "version of the job 'run' must be a whole number, not '3.5'"),
        (Run, {**ASKED, "input": 3}, "input of the job 'run' must be a text or null, not '3'"),
        (
            requests.MethodOverRows,
            {"job": "sweep", "rows": "all"},
            "rows of the job 'sweep' must be a list, not 'all'",
        ),
        (
            requests.ImportantParts,
            {"job": "parts", "rate": "all"},
            "rate of the job 'parts' must be a number, not 'all'",
        ),
        (Forecast, {**SHORT, "methods": {}}, "the job 'forecast' takes no 'methods' without what it goes with"),
        (Forecast, {**SHORT, "open": 1}, "open of the job 'forecast' must be true or false, not '1'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_a_sentence(kind: type[Request], plain: Any, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        kind.from_plain(plain)


def test_numbers_are_numbers_whether_whole_or_not() -> None:
    asked = {**TRIAGE, "input": DIGEST, "target": None, "replacement": "", "effort": 1, "least": 0.1, "seed": 0}
    assert requests.ImportantParts.from_plain({"job": "parts", **asked, "rate": 1}).rate == 1


def test_somebodys_own_request_is_read_like_the_others() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wish(Request):
        job: ClassVar[str] = "wish"
        words: Any
        often: int | None = None

    made = Wish(**TRIAGE, words=["a", {"b": None}])
    assert Wish.from_plain(made.plain()) == made
    with pytest.raises(Refused, match="often of the job 'wish' must be a whole number or null"):
        Wish.from_plain({**made.plain(), "often": "no"})

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Odd(Request):
        job: ClassVar[str] = "odd"
        what: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(Refused, match="a field of Odd has a type that cannot be found: name 'Nowhere'"):
        Odd.from_plain({"job": "odd"})


def test_equal_requests_have_one_key_whatever_their_order() -> None:
    assert key_of({"a": 1, "b": [1, {"c": None, "d": "é"}]}) == key_of({"b": [1, {"d": "é", "c": None}], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
    assert len(key_of({})) == 64


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", np.float32(1)])
def test_what_is_no_json_has_no_key(value: object) -> None:
    with pytest.raises(Refused, match="a request holds plain JSON values only"):
        key_of({"x": value})


def test_requests_load_neither_torch_nor_dash() -> None:
    code = "import sys; import backends.requests; print([n for n in ('torch', 'dash') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_key_is_64_hex_characters_and_nothing_else() -> None:
    assert is_key(key_of({"job": "run"}))
    for wrong in ("", "a" * 63, "A" * 64, "a" * 64 + "\n", "../" + "a" * 61, None, 7, ["a" * 64]):
        assert not is_key(wrong), wrong
