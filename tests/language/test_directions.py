"""No output holds a character that changes the reading direction of what follows it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pyarrow.parquet
import pytest
from analyses import build
from made_annotations import START, say
from made_logs import exported_log
from voices import voice

from detector.schema.analysis import Analysis
from detector.schema.formatting import escape_directions, printable
from detector.schema.metadata import Details, Tag
from language import translation
from reports.custody.format import read_export
from reports.exports.formats import FORMATS
from reports.inputs.case import CaseDetails
from reports.render.html import fill_template, render_html
from reports.report_view import ReportInputs, report_view
from reports.review.annotation_file import file_text, read_file

TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NAME = f"cli{TURNS}p.mp4"
NOTES = (
    say(1, "segment", segment="A1", verdict="agree", note=f"two {TURNS}\n{TURNS} lines", author=f"A{TURNS}n"),
    say(2, "rename", person="A", name=f"Mal{TURNS}lory"),
    say(3, "span", start=1.0, end=2.0, verdict="unsure", note=TURNS),
)  # fmt: skip


def turns(content: str | bytes) -> set[str]:
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    return set(TURNS) & set(text)


def turned(folder: Path) -> Analysis:
    """An analysis in which every text that a file or a person chose has such characters."""
    analysis = build(folder, segments=2, duration=20.0, file=NAME)
    details = Details(tags=(Tag(place="file", name=f"ti{TURNS}tle", value=f"va{TURNS}lue"),), location=TURNS)
    return analysis.model_copy(
        update={
            "media": analysis.media.model_copy(update={"details": details, "codec": f"h{TURNS}264"}),
            "model": analysis.model.model_copy(
                update={"limits": (f"li{TURNS}mit",), "title": f"ti{TURNS}tle", "domain": f"do{TURNS}main"}
            ),
            "voice": voice(folder),
        }
    )


@pytest.mark.parametrize("language", translation.LANGUAGES)
def test_reports(tmp_path: Path, language: str) -> None:
    inputs = ReportInputs(
        annotations=NOTES,
        case=CaseDetails.model_construct(case_number=f"K{TURNS}1", examiner=f"I{TURNS}da", purpose=TURNS),
        custody=exported_log(actor=f"Ida{TURNS}", name=f"a{TURNS}b"),
        language_code=language,
    )
    view = report_view(turned(tmp_path), tmp_path, inputs)
    page = render_html(view, {picture.key: b"" for picture in view.pictures}, ())
    assert not turns(page) and r"\u202e" in page and r"\u2066" in page
    assert not turns(fill_template(view, "print", lambda picture: picture.key, ()))


@pytest.mark.parametrize("name", FORMATS)
def test_exports(tmp_path: Path, name: str) -> None:
    analysis, out = turned(tmp_path), io.BytesIO()
    FORMATS[name].write(analysis, tmp_path, out)
    data = out.getvalue()
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"".join(archive.read(entry) for entry in archive.namelist())
    if name == "scores-parquet":
        assert not turns(str(pyarrow.parquet.read_metadata(io.BytesIO(data)).metadata))
    assert not turns(data)
    if name == "json":
        assert json.loads(data)["exhibit"]["file"] == NAME, (
            "an escape inside JSON stands for the same character"
        )


def test_json_files_state_the_same_text(tmp_path: Path) -> None:
    analysis = turned(tmp_path)
    text = analysis.to_json()
    assert not turns(text) and Analysis.from_json(text) == analysis
    hashes = {"analysis": "a" * 32, "analysis_sha256": "b" * 64, "exhibit_sha256": "c" * 64}
    text = file_text(NOTES, saved=START, **hashes)
    assert not turns(text) and read_file(text.encode()).annotations == NOTES
    log = exported_log(actor=f"Ida{TURNS}", name=f"a{TURNS}b")
    assert not turns(log) and read_export(log).entries[0].actor == f"Ida{TURNS}"


def test_other_invisible_characters_of_right_to_left_text_stay() -> None:
    hebrew = "שלום\u200f, \u200eabc"
    assert escape_directions(hebrew) == hebrew
    assert escape_directions(f"a{TURNS}") == "a" + "".join(f"\\u{ord(char):04x}" for char in TURNS)
    assert escape_directions(f"ü{TURNS}\n") == printable(f"ü{TURNS}") + "\n"
