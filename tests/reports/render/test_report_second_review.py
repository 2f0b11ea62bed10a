"""The second review in the report, beside it, in its PDF, and checked with it."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from analyses import build
from pdf_rules import broken

from detector.schema.analysis import Analysis
from reports import write_report
from reports.file_names import SECOND_REVIEW
from reports.inputs.case import CaseDetails
from reports.render.html import render_html
from reports.render.write import write_reports_alone
from reports.report_view import ReportInputs, report_view
from reports.review.annotations import ExhibitAnnotation
from reports.review.second_review import (
    SecondReview,
    SecondReviewError,
    differences,
    outcome,
    parse,
    read_review,
    review_of,
)
from reports.review.second_review_section import second_review_view
from verification.verify import verify

MOMENT = datetime(2026, 11, 20, 10, tzinfo=UTC)
WORDS = {"first": "Ada Lovelace", "second": "Ben Nowak", "third": "Cleo Martín"}

pytestmark = pytest.mark.usefixtures("unconfined")


def said(number: int, kind: str, part: str, **more: object) -> dict[str, object]:
    own = {"id": f"{number:032x}", "author": WORDS[part], "part": part, "kind": kind}
    return own | {"made": MOMENT + timedelta(minutes=number)} | more


def review(analysis: Analysis, *statements: dict[str, object], **changes: object) -> SecondReview:
    given = [statement["part"] for statement in statements if statement["kind"] == "judgement"]
    values = {"analysis": "0" * 32, "exhibit_sha256": analysis.media.sha256, **WORDS, "blind": "findings"}
    values |= {"named": MOMENT, "given": given, "statements": [parse(statement) for statement in statements]}
    return SecondReview.model_validate(values | changes)


def whole(analysis: Analysis) -> SecondReview:
    """Both differ, speak about it, and the third decides."""
    stretches = [{"start": 1.0, "end": 2.5, "note": "lips <b>"}]
    return review(
        analysis,
        said(
            1,
            "judgement",
            "second",
            conclusion="no manipulation found",
            reasons="No seams.",
            hidden="findings",
        ),
        said(
            2, "judgement", "first", conclusion="manipulated", reasons="Seams.\nTeeth.", stretches=stretches
        ),
        said(3, "message", "first", text="Look at the teeth."),
        said(4, "proposal", "second", conclusion="inconclusive", reasons="Too dark."),
        said(5, "decision", "third", conclusion="manipulated", reasons="The teeth change within a frame."),
    )


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return build(tmp_path, segments=1, peaks=1)


def test_conclusions_on_voices_are_independent_of_those_on_the_exhibit(
    analysis: Analysis, tmp_path: Path
) -> None:
    def judged(first: str | None, second: str | None) -> SecondReview:
        common = {"conclusion": "inconclusive", "reasons": "Dark."}
        return review(
            analysis,
            said(1, "judgement", "first", **common, voice=first),
            said(2, "judgement", "second", **common, voice=second),
        )

    found, none = "synthetic speech found", "no synthetic speech found"
    assert [difference.about for difference in differences(*judged(found, none).statements)] == ["voice"]
    agreed = outcome(judged(found, found))
    assert agreed is not None and (agreed.conclusion, agreed.voice) == ("inconclusive", found)
    alone = outcome(judged(found, None))
    assert alone is not None and alone.voice is None, "one of them did not judge the voices"
    view = second_review_view(judged(found, found), 10.0)
    assert view.summary.endswith("On the voices: synthetic speech found.") and view.voices
    assert "voice" not in judged(None, None).to_json()
    given = ReportInputs(second_review=judged(found, None).to_json().encode())
    page = render_html(report_view(analysis, tmp_path, given), defaultdict(bytes))
    row = page.split("Conclusion on the voices")[1].split("</tr>")[0]
    assert "Synthetic speech found" in row and "Not judged" in row


def test_report_and_attachment_contain_the_second_review(analysis: Analysis, tmp_path: Path) -> None:
    text = whole(analysis).to_json().encode()
    assert read_review(text) == whole(analysis)
    (tmp_path / SECOND_REVIEW).write_bytes(text)
    write_report(analysis, tmp_path)
    page = (tmp_path / "report.html").read_text()
    section = page.split('<h2 id="second-review">')[1].split("</section>")[0]
    for words in (
        "Ben Nowak",
        "lips &lt;b&gt;",
        "decided as third",
        "Proposes: inconclusive",
        "Look at the",
        "Conclusion of the third reviewer: manipulated",
    ):
        assert words in section, words
    assert "Joint conclusion" not in section
    assert "the third reviewer decided: manipulated" in page.split('id="contents"')[0]
    with pikepdf.open(tmp_path / "report.pdf") as document:
        assert document.attachments[SECOND_REVIEW].get_file().read_bytes() == text
        assert broken(document) == []
    assert verify(tmp_path).results.problems == []
    changed = text.replace(b"No seams.", b"Seams seen.")
    (tmp_path / SECOND_REVIEW).write_bytes(changed)
    assert {problem.file for problem in verify(tmp_path).results.problems} >= {SECOND_REVIEW}


def test_long_names_and_days_stay_within_the_page(analysis: Analysis, tmp_path: Path) -> None:
    """Of an annotation and its author; the days of Spanish are the longest."""
    name = "W" * 80
    long = [statement | {"author": name} for statement in whole(analysis).model_dump()["statements"]]
    annotation = ExhibitAnnotation(
        id="f" * 32, author=name, made=MOMENT, kind="exhibit", verdict="agree", note=""
    )
    given = ReportInputs(
        case=CaseDetails(),
        annotations=[annotation],
        second_review=review(analysis, *long).to_json().encode(),
        language_code="es",
    )
    write_reports_alone(analysis, analysis.to_json().encode(), tmp_path, tmp_path, given)
    with pypdfium2.PdfDocument(tmp_path / "report.pdf") as document:
        for page in document:
            words = page.get_textpage()
            right = max(words.get_rect(index)[2] for index in range(words.count_rects()))
            assert right <= page.get_width() - 16 / 25.4 * 72  # the margin is 18 mm


def test_a_report_without_second_review_has_no_such_section(analysis: Analysis, tmp_path: Path) -> None:
    view = report_view(analysis, tmp_path)
    assert "second-review" not in view.sections and view.second_review is None
    with_one = report_view(analysis, tmp_path, ReportInputs(second_review=whole(analysis).to_json().encode()))
    assert list(with_one.sections).index("second-review") == list(view.sections).index("annotations") + 1


def test_a_single_judgement_is_not_disclosed(analysis: Analysis) -> None:
    view = second_review_view(review(analysis, given=("second",)), 8.0)
    assert "the second reviewer has submitted one." in view.summary and not view.disclosed
    assert view.both[0].conclusion == view.both[1].conclusion == ""


@pytest.mark.parametrize(
    ("author", "minute", "alone"), [("second", 1, False), ("second", 3, True), ("first", 1, True)]
)
def test_reading_the_seconds_annotations_is_disclosed(
    analysis: Analysis, tmp_path: Path, author: str, minute: int, alone: bool
) -> None:
    """As earlier versions let them."""
    both = [
        said(n, "judgement", part, conclusion="manipulated", reasons="x")
        for n, part in ((0, "second"), (2, "first"))
    ]
    made = MOMENT + timedelta(minutes=minute)
    annotation = ExhibitAnnotation(
        id="f" * 32, author=WORDS[author], made=made, kind="exhibit", verdict="agree", note=""
    )
    given = ReportInputs(annotations=[annotation], second_review=review(analysis, *both).to_json().encode())
    view = report_view(analysis, tmp_path, given)
    page = render_html(view, defaultdict(bytes))
    assert ("judged the exhibit independently; neither" in page) == alone
    assert ("Both reviewers independently concluded: manipulated" in page) == alone
    assert ("Both independently reached the same conclusion; the later" in page) == alone
    assert page.count("could read the annotations of the second") == (
        0 if alone else page.count("Both reviewers reached the same conclusion") + 2
    )


def test_the_outcome_is_described(analysis: Analysis) -> None:
    both = [
        said(n, "judgement", part, conclusion="manipulated", reasons="x")
        for n, part in enumerate(("first", "second"))
    ]
    assert outcome(review(analysis, *both)).way == "agreement"
    assert second_review_view(review(analysis, *both), 8.0).outcome.heading == "Joint conclusion"
    both[0]["conclusion"] = "inconclusive"
    assert outcome(review(analysis, *both)) is None
    offer = said(3, "proposal", "first", conclusion="inconclusive", reasons="y")
    taken = said(4, "acceptance", "second", about=offer["id"])
    ended = outcome(review(analysis, *both, offer, taken))
    assert (ended.way, ended.conclusion, ended.reasons) == ("conversation", "inconclusive", "y")
    # A stretch that overlaps none of the other's is a difference too.
    apart = [
        said(
            1, "judgement", "first", conclusion="manipulated", reasons="x", stretches=[{"start": 0, "end": 1}]
        ),
        said(
            2,
            "judgement",
            "second",
            conclusion="manipulated",
            reasons="x",
            stretches=[{"start": 1, "end": 2}],
        ),
    ]
    view = second_review_view(review(analysis, *apart), 8.0)
    assert [(difference.about, difference.second) for difference in view.differences] == [
        ("Stretch of time", "nothing marked"),
        ("Stretch of time", "manipulated, 00:00:01.000 to 00:00:02.000"),
    ]


def test_invalid_second_reviews_are_refused(analysis: Analysis) -> None:
    with pytest.raises(SecondReviewError, match="cannot be read"):
        read_review(b"{}")
    with pytest.raises(SecondReviewError, match="another exhibit"):
        review_of(whole(analysis).to_json().encode(), "f" * 64)
    with pytest.raises(SecondReviewError, match="cannot mark manipulated intervals"):
        parse(
            said(
                1,
                "judgement",
                "first",
                conclusion="no manipulation found",
                reasons="x",
                stretches=[{"start": 0, "end": 1}],
            )
        )
