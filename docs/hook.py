"""A hook of mkdocs: pages that stand elsewhere in the project are pages of the site, and links lead there.

README, CONTRIBUTING, SECURITY, CHANGELOG and the benchmarks' results are written once; where one of them, or a guide,
links to another, the site's page is meant. A link to a file of the code becomes its name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/RESULTS.md": "results.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside docs/."""
    for source, page in PAGES.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead every link to the page of the site, or to the file in docs/, that it means."""
    origin = {name: source for source, name in PAGES.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def led(found: re.Match[str]) -> str:
        mark, words, address, anchor = found.groups()
        if re.match(r"[a-z]+:", address):
            return found[0]
        meant = posixpath.normpath(posixpath.join(posixpath.dirname(origin), address))
        there = PAGES.get(meant, meant.removeprefix("docs/") if meant.startswith("docs/") else None)
        if there is None and (ROOT / meant).exists():
            return words if words.startswith("`") else f"{words} (`{meant}`)"
        return f"{mark}[{words}]({there or address}{anchor or ''})"

    return LINK.sub(led, markdown)
