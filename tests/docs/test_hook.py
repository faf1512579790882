"""The hook of the documentation's site: pages from elsewhere, and links that lead to them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs")
ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("vitrine_hook", ROOT / "docs" / "hook.py")
hook = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hook)


def led(markdown: str, page: str) -> str:
    """The Markdown of the site's page called `page`."""
    return hook.on_page_markdown(markdown, SimpleNamespace(file=SimpleNamespace(src_uri=page)), None, None)


@pytest.mark.parametrize(
    ("page", "given", "found"),
    [
        ("index.md", "[guide](docs/teacher.md)", "[guide](teacher.md)"),
        ("index.md", "![heads](docs/attention.png)", "![heads](attention.png)"),
        ("researcher.md", "[results](../benchmarks/RESULTS.md#jobs)", "[results](results.md#jobs)"),
        ("extending.md", "[one](examples/methods/gradient_norm.py)", "[one](examples/methods/gradient_norm.py)"),
        ("contributing.md", "[log](CHANGELOG.md)", "[log](changelog.md)"),
        ("index.md", "[the app](app.py)", "the app (`app.py`)"),
        ("index.md", "[paper](https://example.org/a)", "[paper](https://example.org/a)"),
    ],
)
def test_links_lead_to_the_page_of_the_site(page: str, given: str, found: str) -> None:
    assert led(given, page) == found


def test_every_page_of_the_navigation_is_there() -> None:
    named = re.findall(r"[a-z]+\.md", (ROOT / "mkdocs.yml").read_text())
    for name in named:
        assert name in hook.PAGES.values() or (ROOT / "docs" / name).is_file(), name
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name in named, f"{path.name} is not in the navigation of mkdocs.yml"
    for source in hook.PAGES:
        assert (ROOT / source).is_file()
