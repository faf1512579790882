"""Cards and inputs that the tests of this page share."""

from __future__ import annotations

from typing import Any

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
