"""Annotations in the report: in words, apart from the machine's findings, whatever people write."""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from analyses import build, with_stability
from html_page import Page
from made_annotations import say
from pdf_text import pdf_text
from pypdf import PdfReader

from detector.schema.analysis import MediaKind, Verdict
from language.names import direction, readable
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.render.write import write_reports_alone
from reports.report_view import ReportInputs, report_view
from reports.review.annotation_file import checksum, to_json
from reports.review.annotation_section import reviewer_view
from reports.review.annotations import Annotation

ARABIC = "هذا الوجه يبدو متلاعبا به: حافة الفك"
CHINESE = "这张脸看起来被篡改过。"
SAID = [
    say(1, "segment", segment="A1", verdict="agree", note="Seams at the jaw,\nand the light."),
    say(2, "segment", "Ben", segment="A1", verdict="disagree"),
    say(3, "segment", segment="B1", verdict="unsure", note=ARABIC),
    say(4, "exhibit", verdict="agree"),
    say(5, "exhibit", verdict="disagree", note=CHINESE),
    say(6, "span", "Ben", start=50.123, end=53.5, verdict="manipulated", person="B"),
    say(7, "span", start=55, end=56, verdict="unsure"),
    say(8, "rename", person="B", name="Eve"),
    say(9, "rename", "Ben", person="B", name="Eva"),
    say(10, "merge", person="B", into="A"),
    say(11, "split", person="A", tracks=[1]),
    say(12, "withdrawal", about=f"{7:032x}"),
]


def rendered(folder: Path, acts: list[Annotation], **choices: object) -> Page:
    analysis = build(folder, **{"kept": False, **choices})  # type: ignore[arg-type]
    return Page(render_html(report_view(analysis, folder, ReportInputs(annotations=acts)), {}))


def document(folder: Path, acts: list[Annotation]) -> bytes:
    return render_pdf(report_view(build(folder, kept=False), folder, ReportInputs(annotations=acts)), {})


def test_current_annotations_persons_and_history(tmp_path: Path) -> None:
    view = reviewer_view(build(tmp_path, kept=False), reversed(SAID))
    assert [(entry.about, entry.when, entry.verdict, entry.author) for entry in view.annotations] == [
        ("The whole exhibit", "", "Disagrees with the machine", "Ann"),
        ("Segment A1, person A", "00:00:06.000 to 00:00:18.000", "Agrees with the machine", "Ann"),
        ("Segment A1, person A", "00:00:06.000 to 00:00:18.000", "Disagrees with the machine", "Ben"),
        ("Segment B1, person B", "00:00:06.000 to 00:00:18.000", "Unsure", "Ann"),
        (
            "Marked stretch, person B",
            "00:00:50.123 to 00:00:53.500",
            "Manipulated; the machine did not flag it",
            "Ben",
        ),
    ]
    assert [(entry.about, entry.verdict) for entry in view.persons] == [
        ("Person B", "Named “Eva”"),
        ("Persons B and A", "Are the same face, counted as A"),
        ("Person A", "Is more than one person: 1 track of another face split off"),
    ]
    assert [(entry.about, entry.verdict, entry.fate) for entry in view.history] == [
        ("The whole exhibit", "Agrees with the machine", "Replaced 2026-11-20 09:00:05 UTC"),
        ("Marked stretch", "Unsure", "Withdrawn 2026-11-20 09:00:12 UTC"),
        ("Person B", "Named “Eve”", "Replaced by Ben 2026-11-20 09:00:09 UTC"),
    ]
    assert view.summary == (
        "2 reviewers annotated this analysis.",
        "The verdict “manipulated”: 1 disagrees.",
        "Of 3 segments, 2 annotated: 1 agrees, 1 disagrees, 1 is unsure.",
        "Marked as manipulated but not flagged by the machine: 1 stretch.",
    )
    assert view.annotations[1].made == "2026-11-20 09:00:01 UTC"
    assert view.until == "2026-11-20 09:00:12 UTC"
    assert view.sha256 == checksum([to_json(entry) for entry in SAID])


@pytest.mark.parametrize(
    ("start", "end", "person", "words"),
    [
        (7.0, 9.0, None, "the machine flagged it too"),
        (6.0, 18.0, "A", "the machine flagged it too"),
        (4.0, 9.0, "A", "the machine flagged part of it"),
        (17.0, 30.0, None, "the machine flagged part of it"),
        (7.0, 9.0, "C", "the machine did not flag it"),
        (30.0, 31.0, None, "the machine did not flag it"),
    ],
)
def test_a_marked_interval_is_compared_with_flagged_segments(
    tmp_path: Path, start: float, end: float, person: str | None, words: str
) -> None:
    analysis = build(tmp_path, kept=False)
    flagged = [segment for segment in analysis.segments if segment.start < 20]
    analysis = analysis.model_copy(update={"segments": tuple(flagged)})
    assert {(segment.person, segment.start, segment.end) for segment in flagged} >= {("A", 6.0, 18.0)}
    annotation = say(1, "span", "Ben", start=start, end=end, person=person, verdict="manipulated")
    view = reviewer_view(analysis, [annotation])
    assert view.annotations[0].verdict == f"Manipulated; {words}"
    counted = "but not" if "did not" in words else "and, at least in part, also"
    assert f"Marked as manipulated {counted} flagged by the machine" in view.summary[-1]


def test_opinions_on_unflagged_segments_have_their_own_words(tmp_path: Path) -> None:
    acts = [*SAID[:3], say(20, "segment", "Ben", segment="B1", verdict="agree")]
    acts.append(say(21, "segment", "Cleo", segment="B1", verdict="disagree"))
    view = reviewer_view(with_stability(build(tmp_path, kept=False), A=1.0, B=0.6), acts)
    assert [(row.about, row.verdict, row.author) for row in view.annotations] == [
        ("Segment A1, person A", "Agrees with the machine", "Ann"),
        ("Segment A1, person A", "Disagrees with the machine", "Ben"),
        ("Looked at, not flagged: B1, person B", "Unsure", "Ann"),
        (
            "Looked at, not flagged: B1, person B",
            "Shows manipulation; the machine did not flag it",
            "Ben",
        ),
        ("Looked at, not flagged: B1, person B", "Shows no manipulation", "Cleo"),
    ]
    assert view.summary == (
        "3 reviewers annotated this analysis.",
        "Of 2 segments, 1 annotated: 1 agrees, 1 disagrees.",
        "Looked at, not flagged: of 1 segment, 1 annotated: "
        "1 sees manipulation, 1 sees no manipulation, 1 is unsure.",
    )


def test_a_restored_annotation_is_current(tmp_path: Path) -> None:
    """The newer one was withdrawn, so the one before stands again and only the newer is history."""
    acts = [*SAID[3:5], say(20, "withdrawal", about=f"{5:032x}")]
    view = reviewer_view(build(tmp_path, kept=False), acts)
    assert [row.verdict for row in view.annotations] == ["Agrees with the machine"]
    assert [row.fate for row in view.history] == ["Withdrawn 2026-11-20 09:00:20 UTC"]


def test_imported_annotations_are_listed_separately_and_not_counted(tmp_path: Path) -> None:
    forged = [
        say(21, "exhibit", "Ben", verdict="agree", imported_by="Carl"),
        say(22, "withdrawal", about=f"{5:032x}", imported_by="Carl"),
        say(23, "rename", person="B", name="Adam", imported_by="Carl"),
    ]
    analysis = build(tmp_path, kept=False)
    before, after = reviewer_view(analysis, SAID), reviewer_view(analysis, [*SAID, *forged])
    assert (after.annotations, after.persons, after.history) == (
        before.annotations,
        before.persons,
        before.history,
    )
    assert after.summary == (
        *before.summary,
        "Not counted: 3 annotations imported under the names of unverified authors.",
    )
    assert [(row.about, row.verdict, row.author, row.imported_by) for row in after.unverified] == [
        ("The whole exhibit", "Agrees with the machine", "Ben", "Carl"),
        (
            "The whole exhibit, by Ann",
            "Withdrawal without effect, because its author is not verified",
            "Ann",
            "Carl",
        ),
        ("Person B", "Named “Adam”", "Ann", "Carl"),
    ]
    text = rendered(tmp_path, [*SAID, *forged]).text.replace(" ,", ",").replace(" ;", ";")
    assert "Imported by Carl; stated author Ben, not verified" in text


def test_the_author_of_a_withdrawn_annotation_is_translated(tmp_path: Path) -> None:
    analysis = build(tmp_path, kept=False)
    acts = [
        say(1, kind="segment", segment="A1", verdict="agree", author="Ann"),
        say(2, kind="withdrawal", about=f"{1:032x}", author="Ben", imported_by="Carl"),
    ]
    inputs = ReportInputs(annotations=acts, language_code="de")
    (unverified,) = report_view(analysis, tmp_path, inputs).annotations.unverified
    assert unverified.about == "Segment A1, Person A, von Ann"


def test_a_report_without_annotations_states_it(tmp_path: Path) -> None:
    text = rendered(tmp_path, []).text
    assert "6 Reviewers' annotations No reviewer has annotated this analysis. 7 Exhibit" in text
    assert "Annotations, SHA-256" not in text and "annotations until" not in text
    renamed = rendered(tmp_path, [SAID[7]]).text
    assert "No reviewer has annotated this analysis." in renamed and "Named “Eve”" in renamed


def test_the_machines_findings_are_not_touched(tmp_path: Path) -> None:
    before, after = rendered(tmp_path, []).text, rendered(tmp_path, SAID).text
    machines = slice(before.index("3 Timeline"), before.index("6 Reviewers"))
    assert before[machines] in after
    assert "Section 6 lists what reviewers said about it" in after


def test_the_page_holds_every_word_and_the_direction_of_notes(tmp_path: Path) -> None:
    page = rendered(tmp_path, SAID)
    for words in (
        "Seams at the jaw, and the light.",
        ARABIC,
        CHINESE,
        "Current annotations",
        "Earlier annotations",
    ):
        assert words in page.text, words
    directions = [
        attributes["dir"] for tag, attributes in page.elements if tag == "td" and "dir" in attributes
    ]
    assert directions == ["ltr", "ltr", "rtl"]
    assert page.balanced and not page.open


def test_free_text_cannot_break_the_layout(tmp_path: Path) -> None:
    note = "<script>alert(1)</script>\x00\x1b[31m\r\nnext \u202egnp.exe"
    page = rendered(tmp_path, [say(1, "exhibit", "<b>Ann</b>\n\n2026", verdict="agree", note=note)])
    assert "<script>alert(1)</script>\ufffd\ufffd[31m next \\u202egnp.exe" in page.text
    assert "<b>Ann</b> 2026" in page.text
    assert not any(tag in ("script", "b") for tag, _ in page.elements)


def test_photos_have_faces_and_no_times(tmp_path: Path) -> None:
    acts = [say(1, "segment", segment="A1", verdict="agree")]
    view = reviewer_view(build(tmp_path, kind=MediaKind.IMAGE, segments=1, kept=False), acts)
    assert (view.annotations[0].about, view.annotations[0].when) == ("Flagged face A1, person A", "")
    assert "Of 1 flagged face, 1 annotated: 1 agrees." in view.summary


def test_an_annotation_of_the_verdict_names_it(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=0, verdict=Verdict.INCONCLUSIVE, kept=False)
    acts = [say(1, "exhibit", verdict="unsure"), say(2, "exhibit", "Ben", verdict="unsure")]
    assert reviewer_view(analysis, acts).summary[1] == "The verdict “inconclusive”: 2 are unsure."


def test_counts_of_opinions_are_translated(tmp_path: Path) -> None:
    opinions = {"Ann": "agree", "Ben": "agree", "Cleo": "disagree", "Dan": "unsure"}
    acts = [say(n, "exhibit", who, verdict=verdict) for n, (who, verdict) in enumerate(opinions.items(), 1)]
    inputs = ReportInputs(annotations=acts, language_code="de")
    analysis = build(tmp_path, segments=0, verdict=Verdict.INCONCLUSIVE, kept=False)
    assert report_view(analysis, tmp_path, inputs).annotations.summary[1] == (
        "Das Ergebnis „nicht entscheidbar“: 2 stimmen zu, 1 lehnt ab, 1 ist unsicher."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "ltr"),
        ("123 – ", "ltr"),
        ("A ب", "ltr"),
        ("12: ب A", "rtl"),
        ("«שלום» hello", "rtl"),
        (CHINESE, "ltr"),
    ],
)
def test_directions(text: str, expected: str) -> None:
    assert direction(text) == expected


def test_readable_keeps_lines_and_joiners() -> None:
    assert readable("a\r\nb\rc\td\u200d\u200f") == "a\nb\nc\td\u200d\u200f"


def text_of(data: bytes) -> str:
    return " ".join(pdf_text(data).split())


def test_the_pdf_says_the_same(tmp_path: Path) -> None:
    data = document(tmp_path, SAID)
    text = text_of(data)
    for words in (
        "6 Reviewers' annotations",
        "Disagrees with the machine",
        "00:00:50.123 to 00:00:53.500",
        "Replaced by Ben 2026-11-20 09:00:09 UTC",
        CHINESE,
        "Annotations until 2026-11-20 09:00:12 UTC",
        checksum([to_json(annotation) for annotation in SAID]),
    ):
        assert words in text, words
    with pikepdf.open(io.BytesIO(data)) as pdf:
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20251120084102")
        assert str(pdf.docinfo["/ModDate"]).startswith("D:20261120090012")


def test_notes_of_any_length_and_number_are_set_whole(tmp_path: Path) -> None:
    """And nothing reaches beyond the paper: the margins of every page are white."""
    long = " ".join(f"word{number}" for number in range(500))
    acts = [
        say(1, "exhibit", verdict="agree", note=long),
        say(2, "exhibit", "Ben", verdict="agree", note="字" * 4000),
        say(3, "exhibit", "W" * 80, verdict="unsure", note="x" * 4000),
        say(4, "exhibit", "字" * 80, verdict="unsure", note=ARABIC * 50),
        say(5, "rename", person="A", name="W" * 80),
        say(6, "segment", segment="A1", verdict="agree"),
        *(
            say(10 + n, "segment", f"R{n}", segment="A1", verdict="agree", note=f"Note number {n}.")
            for n in range(40)
        ),
    ]
    data = document(tmp_path, acts)
    reader = PdfReader(io.BytesIO(data))
    text = text_of(data)
    assert all(f"word{number} " in text for number in range(499))
    assert all(f"Note number {n}." in text for n in range(40))
    assert text.count("字") >= 4080 and len(re.findall("x", re.sub(r"[^x]", "", text))) >= 4000
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        assert f"Page {number} of {count}" in page.extract_text()
    with pypdfium2.PdfDocument(data) as pages:
        for page in pages:
            picture = page.render(scale=1).to_numpy()
            margin = round(16 / 25.4 * 72)  # of 18 mm
            assert picture[:, :margin].min() > 250 and picture[:, -margin:].min() > 250


def test_only_the_reports_are_written_and_the_result_stays(tmp_path: Path) -> None:
    result, out = tmp_path / "result", tmp_path / "out"
    analysis = build(result, segments=1, peaks=1)
    (result / "analysis.json").write_text(analysis.to_json())
    for name in ("report.html", "report.pdf"):
        (result / name).write_text("the machine's alone")
    before = {path: path.read_bytes() for path in result.rglob("*") if path.is_file()}
    out.mkdir()
    write_reports_alone(
        analysis, (result / "analysis.json").read_bytes(), result, out, ReportInputs(annotations=SAID[:1])
    )
    assert {path: path.read_bytes() for path in result.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.pdf"]
    page = (out / "report.html").read_text()
    # Three of the first page; the same three and the whole frame of the peak.
    assert "Seams at the jaw" in page and page.count("data:image/jpeg") == 4
    assert hashlib.sha256(before[result / "analysis.json"]).hexdigest() in page
