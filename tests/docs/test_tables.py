"""The tables of README and docs: written where they are marked, and what is missing or stale is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The script, over one file that has a table of the settings."""
    spec = importlib.util.spec_from_file_location("vitrine_tables", ROOT / "docs" / "tables.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.setattr(made, "ROOT", tmp_path)
    monkeypatch.setattr(made, "FILES", (tmp_path / "page.md",))
    (tmp_path / "page.md").write_text("Before.\n\n<!-- table: settings -->\nold\n<!-- end of table -->\n\nAfter.\n")
    return made


def test_a_table_is_written_between_its_marks(tables, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main(["--check"]) == 1
    assert capsys.readouterr().out == "page.md: the table of settings is stale; run `make tables`\n"
    assert "old" in (tmp_path / "page.md").read_text()
    assert tables.main([]) == 0
    text = (tmp_path / "page.md").read_text()
    assert text.startswith("Before.\n\n<!-- table: settings -->\n| setting | what it does | default |\n| --- |")
    assert "| `PORT` | the port on which the pages are served | `8050` |\n" in text
    assert text.endswith("<!-- end of table -->\n\nAfter.\n")
    assert tables.main(["--check"]) == 0


def test_a_method_that_the_tables_do_not_list_is_found(tables, tmp_path: Path, monkeypatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table: methods -->\n<!-- end of table -->\n")
    assert tables.main([]) == 0
    page.write_text("\n".join(line for line in page.read_text().split("\n") if "`saliency`" not in line))
    assert tables.main(["--check"]) == 1


def test_a_table_that_there_is_not_is_named(tables, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("<!-- table: recipes -->\n<!-- end of table -->\n")
    with pytest.raises(SystemExit, match="there is no table 'recipes'; there are: methods, "):
        tables.main([])


def test_every_kind_of_entry_has_its_row(tables) -> None:
    from backends import catalog, registry

    for name in registry.entries("methods"):
        assert f"| `{name}` |" in tables.methods()
    for name in registry.entries("models.families"):
        assert f"| `{name}` |" in tables.families()
    for name, measure in registry.entries("evidence.measures").items():
        assert f"| `{name}` | {measure.title} |" in tables.measures()
        assert measure.source in tables.measures()
    for card in catalog.bundled():
        assert f"| `{card['name']}` |" in tables.models()


def test_cells_stay_in_their_cell(tables) -> None:
    assert tables.table(("a",), [("one | two\nthree",)]) == "| a |\n| --- |\n| one \\| two three |\n"
    assert tables.first_sentence("What is it?\n\nMore.") == "What is it?"
    assert tables.first_sentence("Vig et al. 2020\nfound it. More.") == "Vig et al. 2020 found it."
