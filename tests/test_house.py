"""The house, where no linter can look: ids, file names, settings, the README. Who may import whom: pyproject.toml."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "diffusers", "captum"}
SOURCES = sorted([ROOT / "app.py", *ROOT.glob("backends/**/*.py"), *ROOT.glob("viz/**/*.py")])


def imports(path: Path, top_only: bool = False) -> set[str]:
    """The modules that a file imports; type-checking blocks do not count."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(inner) for block in guarded for inner in ast.walk(block)}
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_app_computes_nothing_with_networks_itself() -> None:
    """The contracts in pyproject.toml say so of `viz`; a linter of packages does not read a file that is in none."""
    assert not {name.split(".")[0] for name in imports(ROOT / "app.py")} & HEAVY


def test_nobody_needs_torch_to_describe_methods() -> None:
    from backends import registry

    for path in (p for p in ROOT.glob("backends/methods/*/*.py") if registry.assigns(p, "ENTRY")):
        assert not {n.split(".")[0] for n in imports(path, top_only=True)} & HEAVY, path.name


def test_entries_are_found_by_file_name() -> None:
    from backends import registry

    for package, pattern in (("methods", "*/*.py"), ("models.families", "*.py")):
        home = ROOT / "backends" / package.replace(".", "/")
        files = {p.stem for p in home.glob(pattern) if registry.assigns(p, "ENTRY")}
        assert set(registry.entries(package)) == files


def test_every_method_says_what_it_needs_and_where_it_comes_from() -> None:
    from backends import registry
    from backends.methods.base import VIEWS

    for name, entry in registry.entries("methods").items():
        assert entry.needs, name
        assert entry.question in ("attention", "attribution", "trajectory", "causal", "diffusion"), name
        assert entry.view in VIEWS, f"{name} is seen as {entry.view}, which backends/methods/base.py does not list"
        assert entry.view != "figure", f"{name} does not say as what it is seen"
        assert not entry.preview or entry.preview in registry.entries("methods"), name
        assert len(entry.source) > 10, name
        assert len(entry.__doc__ or "") > 60, name
        entry.build({})


MOST_LINES = 60
"""Lines of a function without its docstring, those of functions within it included."""


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long a function is, from its `def` to its end, without its docstring."""
    told = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
    docstring = told.end_lineno - told.lineno + 1 if told and told.end_lineno else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def test_a_docstring_is_no_line_of_its_function() -> None:
    module = ast.parse(
        'def f(\n    x,\n):\n    """Said\n\n    at length.\n    """\n    def g():\n        return x\n    return g\n'
    )
    assert [lines_of(n) for n in ast.walk(module) if isinstance(n, ast.FunctionDef)] == [6, 2]


def test_no_function_is_too_long() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines_of(node)} lines"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > MOST_LINES
    ]
    assert not long, f"split by meaning, to at most {MOST_LINES} lines: {long}"


def test_no_option_hides_what_a_method_says_of_itself() -> None:
    from backends import registry
    from backends.methods.base import Method

    said = {name for name in Method.__annotations__ if not name.startswith("_")}
    for name, entry in registry.entries("methods").items():
        assert not said & {field.name for field in dataclasses.fields(entry)}, name


def test_ids_are_unique_over_all_pages() -> None:
    from viz.pages import page_modules

    seen: Counter[str] = Counter()
    for page in page_modules():
        ids = set()
        for part in page.layout()._traverse_ids():
            if isinstance(part.id, str):
                assert part.id not in ids, f"{part.id} stands twice on {page.PATH}"
                assert part.id.startswith(page.__name__.rsplit(".", 1)[-1] + "-"), part.id
                ids.add(part.id)
        seen.update(ids)
    twice = [name for name, count in seen.items() if count > 1]
    assert not twice


def test_the_readme_tells_every_page_and_bundled_model() -> None:
    import app
    from backends import catalog

    readme = (ROOT / "README.md").read_text()
    for page in app.page_modules():
        assert f"| {page.TITLE} `{page.PATH}` |" in readme, f"README does not tell the page {page.TITLE}"
    for card in catalog.bundled():
        assert f"`{card['name']}`" in readme, f"README does not list {card['name']}"


def test_versions_are_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text().split()
    assert "torch==2.13.0" in lines
    assert all("==" in line for line in lines)


def test_the_environment_is_read_through_the_settings() -> None:
    from backends import settings

    names = {setting.name for setting in settings.SETTINGS}
    for path in (p for p in SOURCES if p != ROOT / "backends" / "settings.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            here = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("os.environ", "os.getenv"), f"{here}: read backends.settings instead"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                unknown = set(re.findall(r"VITRINE_[A-Z_]+", node.value)) - names
                assert not unknown, f"{here} names a setting that backends/settings.py has not: {unknown}"


NAMED = {
    "viz/pages/causal/edit_heads.py": "its controls are the options of these two methods and of no other",
    "viz/pages/trajectory/figures.py": "names the figure builder, whose file is called as the method",
}
"""Files of pages and components that may name a method, and why."""


def test_no_page_and_no_component_lists_methods() -> None:
    from backends import registry
    from backends.methods.base import VIEWS

    entries = registry.entries("methods")
    words = {entry.question for entry in entries.values()} | set(VIEWS)  # a page's name, a view: no list of methods
    found: dict[str, list[str]] = {}
    for path in (p for folder in ("pages", "components") for p in (ROOT / "viz" / folder).rglob("*.py")):
        nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
        names = [f"line {n.lineno}: {n.value}" for n in nodes if n.value in set(entries) - words]
        if names:
            found[path.relative_to(ROOT).as_posix()] = names
    assert set(found) <= set(NAMED), f"choose methods by question, view or option instead: {found}"
    assert set(NAMED) <= set(found), f"names no method any more: {set(NAMED) - set(found)}"
