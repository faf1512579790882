"""The shipped models: small networks trained here, on made data whose ground truth is known."""

from pathlib import Path

NAMES = ("names", "triage", "radiograph", "radiograph-shortcut", "radiograph-vit", "scenes", "scenes-ungrounded")
MODELS = Path(__file__).parent / "models"


def folder(name: str) -> Path:
    """Where the model `name` lies; raises when there is no such bundled model."""
    if name not in NAMES:
        raise ValueError(f"no bundled model {name!r}; there are: {', '.join(NAMES)}")
    return MODELS / name
