"""Tables of the exports have the columns that the document of them names, in its order."""

import re

import pytest

from detector.files import ROOT
from reports.exports import overlays, tables


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("### `csv`: segments", tables.SEGMENT_COLUMNS),
        ("### `scores-csv`: scores", tables.SCORE_COLUMNS),
    ],
)
def test_columns_are_those_of_the_document(heading, columns):
    section = (ROOT / "docs" / "exports.md").read_text("utf-8").partition(heading + "\n")[2]
    first_cells = re.findall(r"^\| (`[^|]*) \|", section.partition("\n#")[0], re.MULTILINE)
    assert tuple(re.findall(r"`(\w+)`", " ".join(first_cells))) == tuple(columns)


def test_columns_of_the_list_of_overlays_are_named():
    text = (ROOT / "docs" / "exports.md").read_text("utf-8")
    section = re.search(r"^## [^\n]*overlays.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section
    assert [name for name in overlays.COLUMNS if f"`{name}`" not in section.group()] == []
