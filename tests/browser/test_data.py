"""Your own data in a real browser: a folder of films and a CSV of notes, from the file to one row in another page."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import FIRST


def click_cell(page: Any, row: int, column: int, size: int) -> None:
    """Click a cell of the confusion matrix, as a person does: the pointer arrives first."""
    box = page.locator("#data-confusion .nsewdrag").first.bounding_box()
    x, y = (box[s] + box[w] * (i + 0.5) / size for s, w, i in (("x", "width", column), ("y", "height", row)))
    page.mouse.move(x - 4, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(200)
    page.mouse.click(x, y)


def films(folder: Path, count: int = 12) -> None:
    """Phantom films in sub-folders named by their label, half of the lesions nearly invisible."""
    from PIL import Image

    from backends.bundled.data import radiograph

    made = radiograph.phantoms(11, count, strength=radiograph.FAINT, tag="none")
    for i, (pixels, label) in enumerate(zip(made.images, made.labels, strict=True)):
        path = folder / radiograph.LABELS[label].replace(" ", "_") / f"film-{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def test_a_folder_of_films(window: Any, tmp_path: Path) -> None:
    films(tmp_path / "films")
    (tmp_path / "films" / "lesion" / "broken.png").write_bytes(b"\x89PNG no")
    page = window.open("/data", model="bundled/radiograph")
    expect(page.locator("#data-grid .ag-row").first).to_be_visible(timeout=FIRST)  # the example is there at once
    page.locator("#data-path").fill(str(tmp_path / "films"))
    page.locator("#data-path").press("Enter")
    expect(page.locator("#data-count")).to_have_text("13 of 13 rows")
    expect(page.locator("#data-score")).to_contain_text("of 12 rows")
    expect(page.locator("#data-score")).to_contain_text("1 row could not be answered")
    expect(page.locator("#data-confusion .main-svg").first).to_be_visible()
    click_cell(page, 1, 0, 2)
    expect(page.locator("#data-label")).to_have_value("lesion")
    expect(page.locator("#data-predicted")).to_have_value("no finding")
    expect(page.locator("#data-count")).to_have_text(re.compile(r"^\d+ of 13 rows"))
    expect(page).to_have_url(re.compile(r"label=lesion.*predicted=no\+finding"))
    page.reload()  # the link holds it
    expect(page.locator("#data-label")).to_have_value("lesion", timeout=FIRST)
    expect(page.locator("#data-count")).to_have_text(re.compile(r"^[1-9]\d* of 13 rows"))
    page.locator("#data-method").select_option("saliency")
    page.locator("#data-over").select_option("shown")
    page.locator("#data-run").click()
    expect(page.locator("#data-sweep-said")).to_contain_text("mean of")
    expect(page.locator("#data-heat canvas").first).to_be_visible()
    page.locator("#data-grid .ag-row[row-index='0'] [col-id=predicted]").click()
    page.locator("#data-row").get_by_role("link", name="Open in Attribution").click()
    expect(page.locator("#attribution-headline")).to_contain_text("no finding")


def test_a_csv_of_notes(window: Any, tmp_path: Path) -> None:
    from backends.bundled.data import triage

    notes = [(n.text, n.label) for n in triage.notes(11, 12, "test")] + [("The chest pain is gone.", "routine")]
    with (tmp_path / "notes.csv").open("w", encoding="latin-1", newline="") as file:
        csv.writer(file, delimiter=";").writerows([("id", "note", "urgency"), *((i, *n) for i, n in enumerate(notes))])
        file.write("99;Fièvre;später\r\n")
    page = window.open("/data", model="bundled/triage")
    expect(page.locator("#data-grid .ag-row").first).to_be_visible(timeout=FIRST)
    page.locator("#data-files input[type=file]").set_input_files(str(tmp_path / "notes.csv"))
    expect(page.locator("#data-count")).to_have_text("14 of 14 rows")
    expect(page.locator("#data-notes")).to_contain_text("was read as Latin-1")
    expect(page.locator("#data-text-column")).to_have_value("note")
    expect(page.locator("#data-label-column")).to_have_value("urgency")
    expect(page.locator("#data-score")).to_contain_text("“später” (1)")
    expect(page.locator("#data-confusion .main-svg").first).to_be_visible()
    click_cell(page, 2, 2, 3)
    expect(page.locator("#data-count")).to_have_text(re.compile(r"^[34] of 14 rows"))
    page.locator("#data-all").click()
    expect(page.locator("#data-count")).to_have_text("14 of 14 rows")
    page.locator("#data-grid .ag-row[row-index='0'] [col-id=text]").click()
    expect(page.locator("#data-row")).to_contain_text("Row 1 ")
    page.keyboard.press("ArrowDown")  # by keyboard to the second row
    page.keyboard.press("Space")
    expect(page.locator("#data-row")).to_contain_text("Row 2")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the table as CSV").click()
    assert download.value.path().read_text(encoding="utf-8-sig").startswith("row,name,text,label,predicted")
    page.locator("#data-label-column").select_option("·any")
    expect(page.locator("#data-score")).to_contain_text("there is no accuracy")
    page.locator("#data-grid .ag-row[row-index='0']").get_by_role("link", name="Attention of row 1").click()
    expect(page.locator("#attention-text")).to_have_value(notes[0][0])
