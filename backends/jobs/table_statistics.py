"""What follows from a model's answers to a table: accuracy with its interval, confusion, figures by class.

Plain rows in, plain JSON values out; the web process uses it, too, so it loads no torch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MOST_CLASSES = 40
"""Classes that a confusion matrix shows."""
Z = 1.959964
"""The normal quantile of a 95 % interval."""


def known(label: str, classes: Sequence[str]) -> str | None:
    """Return the class that `label` means, whatever its case, spaces, `_` and `-`; else by its number; else None."""
    plain = {_plain(c): c for c in reversed(classes)}
    if _plain(label) in plain:
        return plain[_plain(label)]
    numbered = label.strip().isdecimal() and int(label) < len(classes)
    return classes[int(label)] if numbered else None


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").replace("-", " ").split()).casefold()


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson (1927): it stays within 0 and 1 and is honest for few rows."""
    if n == 0:
        return 0.0, 1.0
    share, z = right / n, Z
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return 0.0 if right == 0 else max(middle - half, 0.0), 1.0 if right == n else min(middle + half, 1.0)


def summary(rows: Sequence[Mapping[str, Any]], classes: Sequence[str] = ()) -> dict[str, Any]:
    """Return accuracy with its interval, balanced accuracy, confusion (truth, predicted), and figures by class.

    `balanced` is the mean recall over the classes that occur as a label; `uneven` says that one of them occurs more
    than half again as often as another. Rows that failed, and labels the model has not, count in none of these.
    """
    judged = [r for r in rows if r["right"] is not None]
    failed = sum(r["predicted"] is None for r in rows)
    unknown = Counter(r["label"] for r in rows if r["predicted"] is not None and r["right"] is None and r["label"])
    found: dict[str, Any] = {
        "rows": len(rows), "failed": failed, "labelled": len(judged), "unknown": dict(unknown.most_common(20)),
        "unknown_rows": sum(unknown.values()), "answers": dict(Counter(r["predicted"] for r in rows).most_common(50)),
    }  # fmt: skip
    found["answers"].pop(None, None)
    if not judged:
        return found
    right = sum(r["right"] for r in judged)
    truth, said = Counter(r["label"] for r in judged), Counter(r["predicted"] for r in judged)
    hit = Counter(r["label"] for r in judged if r["right"])
    shown = _shown(classes, truth, said)
    cells = Counter((r["label"], r["predicted"]) for r in judged)
    return found | {
        "right": right,
        "accuracy": right / len(judged),
        "interval": list(wilson(right, len(judged))),
        "balanced": float(np.mean([hit[c] / n for c, n in truth.items()])),
        "uneven": len(truth) > 1 and max(truth.values()) > 1.5 * min(truth.values()),
        "classes": shown,
        "hidden": len(set(truth) | set(said)) - len(set(shown) & (set(truth) | set(said))),
        "confusion": [[cells[a, b] for b in shown] for a in shown],
        "by_class": [
            {
                "label": c, "rows": truth[c], "predicted": said[c], "right": hit[c],
                "recall": hit[c] / truth[c] if truth[c] else None, "precision": hit[c] / said[c] if said[c] else None,
            }
            for c in shown
        ],
    }  # fmt: skip


def _shown(classes: Sequence[str], truth: Counter, said: Counter) -> list[str]:
    """The classes to show: the model's own, in its order, or of very many those that occur most."""
    both = truth + said
    if classes and len(classes) <= 12:
        return list(classes)
    often = [c for c, _ in both.most_common(MOST_CLASSES)]
    return [c for c in classes if c in often] if classes else often
