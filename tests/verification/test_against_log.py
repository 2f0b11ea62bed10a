"""What files say, held against the entries of the custody log beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from evidence import ANALYSIS_ID, MOMENT, logged, said, small_analysis, small_pdf
from made_comparison_results import comparison_of
from voices import voice

from detector.schema.analysis import Analysis
from detector.schema.summary import summarise
from detector.schema.voice import VoiceVerdict
from reports.custody.format import read_export
from reports.review.annotation_file import SavedAnnotations, checksum, file_text, to_json
from reports.review.annotations import Annotation
from reports.review.second_review import Judgement, SecondReview, statement_json
from verification.against_log import Enclosed, check_against_log
from verification.checks import CheckResults
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

ADA = said("disagree")
BEN = ADA.model_copy(update={"id": "b" * 32, "author": "Ben"})
TAKEN_IN = ("intake", None, {})
QUEUED = ("analysis queued", ANALYSIS_ID, {})


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return small_analysis(tmp_path)


def entry(annotation: Annotation) -> tuple[str, str, dict[str, str]]:
    return "annotation", ANALYSIS_ID, {"id": annotation.id, "sha256": checksum([to_json(annotation)])}


def file(*annotations: Annotation, of: str = ANALYSIS_ID) -> SavedAnnotations:
    return SavedAnnotations(of, "", "", annotations)


def found(analysis: Analysis, entries: Sequence, **came) -> CheckResults:
    results = CheckResults()
    log = read_export(logged(analysis.media.sha256, *entries))
    check_against_log(log, Enclosed(analysis, **came), results)
    return results


def whys(results: CheckResults) -> list[str]:
    return [str(problem) for problem in results.problems]


def test_annotations_are_those_of_the_log(analysis: Analysis) -> None:
    entries = [TAKEN_IN, QUEUED, entry(ADA), entry(BEN)]
    for of in (ANALYSIS_ID, ""):  # a report's state no id
        fits = found(analysis, entries, annotations=file(ADA, BEN, of=of))
        assert (fits.problems, fits.notes) == ([], [])
        changed = ADA.model_copy(update={"verdict": "agree"})
        (why,) = whys(found(analysis, entries, annotations=file(changed, BEN, of=of)))
        assert why == (
            "annotations.json: does not fit: what Ada said on 2026-11-20T15:00:00.000Z is not as entry 3 of "
            "the custody log holds it"
        )
        (why,) = whys(found(analysis, entries, annotations=file(BEN, of=of)))
        assert why.endswith("nothing is there of what entry 3 of the custody log holds")
    (why,) = whys(found(analysis, entries, analysis_id=ANALYSIS_ID))
    assert why.startswith("annotations.json: missing: ") and why.endswith(
        "of what entries 3, 4 of the custody log hold"
    )
    (why,) = whys(found(analysis, entries[:3], annotations=file(ADA, BEN.model_copy(
        update={"made": MOMENT - timedelta(hours=1)}
    ))))  # fmt: skip
    assert "what Ben said on 2026-11-20T14:00:00.000Z is not in the custody log" in why


def test_a_single_report_is_checked_likewise(analysis: Analysis, tmp_path: Path) -> None:
    text, path = analysis.to_json().encode(), tmp_path / "report.pdf"

    def found_in(*annotations: Annotation) -> list[tuple[str, str]]:
        sums = hashlib.sha256(text).hexdigest(), analysis.media.sha256
        saved = file_text(
            annotations, analysis="", analysis_sha256=sums[0], exhibit_sha256=sums[1], saved=MOMENT
        )
        log = logged(analysis.media.sha256, TAKEN_IN, QUEUED, entry(ADA))
        attached = {"analysis.json": text, "annotations.json": saved.encode(), "custody.json": log}
        path.write_bytes(small_pdf(attached))
        return [(problem.file, problem.kind) for problem in verify(path).results.problems]

    assert found_in(ADA) == []
    assert found_in(ADA.model_copy(update={"verdict": "agree"})) == [
        ("report.pdf/annotations.json", "does not fit")
    ]


def test_annotations_after_the_export_are_noted(analysis: Analysis) -> None:
    later = BEN.model_copy(update={"made": MOMENT + timedelta(days=1)})
    for annotation in (later, BEN):  # the clock of who annotates may be behind
        done = found(analysis, [TAKEN_IN, QUEUED, entry(ADA)], annotations=file(ADA, annotation))
        assert done.problems == []
        assert done.notes == [
            "annotations.json: 1 of what it holds is not in the custody log, made after it was exported."
        ]


def test_an_analysis_older_than_the_log_needs_no_entries(analysis: Analysis) -> None:
    early = ADA.model_copy(update={"made": MOMENT - timedelta(days=9)})
    came = {"annotations": file(early, BEN), "analysis_id": ANALYSIS_ID}
    done = found(analysis, [("view", ANALYSIS_ID, {}), entry(BEN)], **came)
    assert done.problems == [] and len(done.notes) == 2
    assert "it is from before the log, or was never in it" in done.notes[0]
    assert "perhaps before it began" in done.notes[1]


def test_an_analysis_missing_in_the_log_is_reported(analysis: Analysis) -> None:
    entries = [TAKEN_IN, ("analysis queued", "d" * 32, {}), ("view", ANALYSIS_ID, {})]
    for came in ({"analysis_id": ANALYSIS_ID}, {"annotations": file()}):
        (why,) = whys(found(analysis, entries, **came))
        assert (
            why.startswith("custody.json: does not fit: ") and f"no entry that analysis {ANALYSIS_ID}" in why
        )
    assert whys(found(analysis, entries)) == []  # no file says which one it is


def test_verdict_and_probability_are_those_of_the_log(analysis: Analysis) -> None:
    finding = {"verdict": analysis.verdict.value, "probability": repr(analysis.probability)}

    def said_of(details: dict[str, str], **came: object) -> list[str]:
        finished = ("analysis finished", ANALYSIS_ID, details)
        return whys(found(analysis, [TAKEN_IN, QUEUED, finished, entry(ADA)], **came))

    known = {"analysis_id": ANALYSIS_ID, "annotations": file(ADA)}
    assert said_of(finding, **known) == said_of({}, **known) == []
    other = [
        f"analysis.json: does not fit: entry 3 of the custody log holds another {what}" for what in finding
    ]
    assert said_of(finding | {"verdict": "inconclusive"}, **known) == other[:1]
    assert said_of(finding | {"probability": "0.25"}, **known) == other[1:]
    # Where no file states which one it is, the finding does: nobody drops annotations.json unseen.
    assert said_of(finding) == [
        "annotations.json: missing: nothing is there of what entry 4 of the custody log holds"
    ]


def test_the_finding_on_the_voices_is_that_of_the_log(analysis: Analysis) -> None:
    """Verdict, what the summary of the finding states, and whether voices were examined at all."""
    heard = analysis.model_copy(update={"voice": voice()})
    summary = hashlib.sha256(json.dumps(summarise(heard)).encode()).hexdigest()
    details = {"voice": heard.voice.verdict.value, "model sha256": heard.model.sha256}

    def differences(made: Analysis, **more: str) -> str:
        finished = ("analysis finished", ANALYSIS_ID, details | more)
        return " ".join(whys(found(made, [TAKEN_IN, QUEUED, finished], analysis_id=ANALYSIS_ID)))

    def with_voice(**changes: object) -> Analysis:
        return heard.model_copy(update={"voice": heard.voice.model_copy(update=changes)})

    assert differences(heard) == differences(heard, **{"finding sha256": summary}) == ""
    other = with_voice(verdict=VoiceVerdict.NOT_FOUND)
    assert "entry 3 of the custody log holds another verdict on the voices" in differences(other)
    for changed in (with_voice(probability=0.2), with_voice(speech=3.0), with_voice(segments=())):
        assert "another summary of the finding" in differences(changed, **{"finding sha256": summary})
    assert "verdict on the voices" in differences(analysis)  # the voice was removed
    del details["voice"]
    assert differences(analysis) == "" and "verdict on the voices" in differences(heard)  # or added


def test_the_whole_analysis_is_that_of_the_log(analysis: Analysis) -> None:
    """Any byte of it, wherever no file states which of two analyses it is too."""
    own = {"analysis sha256": "1" * 64}
    entries = [TAKEN_IN, QUEUED, ("analysis finished", ANALYSIS_ID, own)]
    for known in ({"analysis_id": ANALYSIS_ID}, {}):
        assert whys(found(analysis, entries, analysis_sha256="1" * 64, **known)) == []
        assert whys(found(analysis, entries, analysis_sha256="2" * 64, **known)) == [
            "analysis.json: does not fit: entry 3 of the custody log holds another SHA-256 of the file"
        ]
    entries += [("analysis queued", "d" * 32, {}), ("analysis finished", "d" * 32, own)]
    assert whys(found(analysis, entries, analysis_sha256="2" * 64)) == [
        "analysis.json: does not fit: none of entries 3, 5 of the custody log, on finished analyses, holds "
        "its finding"
    ]
    assert whys(found(analysis, entries[2:], analysis_sha256="2" * 64)) == []  # it may be older than the log


def test_a_second_review_is_that_of_the_log(analysis: Analysis) -> None:
    def judged(part: str, conclusion: str = "inconclusive") -> Judgement:
        about = {"id": ("1" if part == "first" else "2") * 32, "author": part, "part": part, "made": MOMENT}
        return Judgement(kind="judgement", conclusion=conclusion, reasons="It is.", **about)

    def review(*statements: Judgement) -> SecondReview:
        people = {"first": "Ada", "second": "Ben", "third": None, "blind": "judgements", "named": MOMENT}
        about = {"analysis": ANALYSIS_ID, "exhibit_sha256": analysis.media.sha256, "given": ()}
        return SecondReview(**people, **about, statements=statements)

    both = judged("first"), judged("second")
    entries = [TAKEN_IN, QUEUED] + [
        ("second review", ANALYSIS_ID, {"id": e.id, "sha256": checksum([statement_json(e)])}) for e in both
    ]
    assert whys(found(analysis, entries, second_review=review(*both))) == []
    assert whys(found(analysis, entries[:-1], second_review=review())) == []  # the other one is awaited
    other = review(both[0], judged("second", "manipulated"))
    (why,) = whys(found(analysis, entries, second_review=other))
    assert why.startswith("second-review.json: does not fit: what second said on ") and "entry 4" in why
    (why,) = whys(found(analysis, entries, second_review=review(both[0])))
    assert "nothing is there of what entry 4 of" in why


def test_a_comparison_is_that_of_the_log(analysis: Analysis, tmp_path: Path) -> None:
    text = comparison_of(tmp_path, ("a", "b"), (analysis.media.sha256, "d" * 64)).to_json().encode()
    name, sha256 = f"comparisons/{'e' * 32}/comparison.json", hashlib.sha256(text).hexdigest()
    finished = ("comparison finished", "e" * 32, {"comparison sha256": sha256})
    came = {"comparisons": {name: text}, "bundle": True}
    assert whys(found(analysis, [TAKEN_IN, finished], **came)) == []
    (why,) = whys(found(analysis, [TAKEN_IN, finished], comparisons={name: text + b"\n"}))
    assert why.startswith(f"{name}: does not fit: it is not the one whose SHA-256 entry 2 ")
    (why,) = whys(found(analysis, [TAKEN_IN], **came))
    assert "has no entry that this comparison finished" in why
    assert whys(found(analysis, [TAKEN_IN], comparisons={name: text})) == []  # made from a shell


def test_a_log_of_the_whole_installation(analysis: Analysis) -> None:
    document = json.loads(logged(analysis.media.sha256, TAKEN_IN, QUEUED, entry(ADA), others=3))
    results = CheckResults()
    log = read_export(json.dumps(document | {"exhibit": None}).encode())
    check_against_log(log, Enclosed(analysis, file()), results)
    assert "of what entry 6 of" in whys(results)[0]


def test_two_matching_analyses_are_ambiguous(analysis: Analysis) -> None:
    """Nothing states which one a report that came alone is about: what was said of both is not missing."""
    finding = {"verdict": analysis.verdict.value, "probability": repr(analysis.probability)}
    entries = [TAKEN_IN]
    for analysis_id, annotation in ((ANALYSIS_ID, ADA), ("d" * 32, BEN)):
        about = {"id": annotation.id, "sha256": checksum([to_json(annotation)])}
        entries += [("analysis queued", analysis_id, {}), ("analysis finished", analysis_id, finding)]
        entries += [("annotation", analysis_id, about)]
    assert whys(found(analysis, entries)) == []
    (why,) = whys(found(analysis, entries[:4]))  # of one of them, it is known
    assert why.startswith("annotations.json: missing: ")
