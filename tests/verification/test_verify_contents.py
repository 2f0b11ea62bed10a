"""Verification of files that fit their manifest, and contradict each other, or the exhibit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from analyses import build, with_stability
from damaged_files import named, problems
from evidence import EXHIBIT, contents, custody, small_analysis, small_bundle, small_pdf
from made_comparison_results import comparison_of

from detector.schema.analysis import MediaKind, OtherModel, Ran, Verdict
from detector.schema.joint import JointRule
from detector.verdict.verdict import joint_verdict
from reports.bundle import review_bundle
from reports.bundle.manifest import file_entries, manifest_files, new_manifest
from reports.exports.tables import scores_csv
from reports.signing.keys import SigningKey
from verification.checks import CheckResults
from verification.consistency import check_analysis
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")


def consistent(folder: Path, name: str, data: bytes) -> None:
    """Put ``data`` in the place of a file and make manifest and sums fit, as a forger would."""
    digests = {hashlib.sha256((folder / name).read_bytes()).hexdigest(): hashlib.sha256(data).hexdigest()}
    sizes = {(folder / name).stat().st_size: len(data)}
    (folder / name).write_bytes(data)
    values = json.loads((folder / "manifest.json").read_bytes())
    for entry in values["files"]:
        entry["sha256"] = digests.get(entry["sha256"], entry["sha256"])
        if entry["path"] == name:
            entry["bytes"] = sizes[entry["bytes"]]
    sums = "".join(f"{e['sha256']}  {e['path']}\n" for e in values["files"] if e["path"] != "sha256sums.txt")
    (folder / "sha256sums.txt").write_text(sums)
    for entry in values["files"]:
        if entry["path"] == "sha256sums.txt":
            entry |= {"sha256": hashlib.sha256(sums.encode()).hexdigest(), "bytes": len(sums)}
    text = json.dumps(values).encode()
    (folder / "manifest.json").write_bytes(text)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(text).hexdigest()}  manifest.json\n")


def test_files_that_contradict_each_other(folder: Path) -> None:
    """The manifest fits; what the files say does not."""
    analysis = json.loads((folder / "analysis.json").read_bytes())
    analysis["verdict"] = "no manipulation found"
    analysis["model"]["sha256"] = "9" * 64
    consistent(folder, "analysis.json", json.dumps(analysis).encode())
    sentences = {f"{problem.file}: {problem.why}" for problem in problems(folder)}
    assert sentences == {
        "analysis.json: its verdict and its segments contradict each other",
        "analysis.json: the manifest names another model",
        "annotations.json: it is about another analysis.json",
        "report.html: it was made of another analysis.json",
        "report.pdf/analysis.json: it is not the analysis.json beside the report: its bytes differ",
    }


@pytest.mark.parametrize(
    ("segments", "stability", "fitting"),
    [
        (0, {}, {Verdict.NOT_FOUND, Verdict.INCONCLUSIVE}),
        (0, {"A": 0.6}, {Verdict.NOT_FOUND, Verdict.INCONCLUSIVE}),
        (3, {}, {Verdict.MANIPULATED}),  # as before 0.2: no second look
        (3, {"A": 1.0, "B": 0.8}, {Verdict.MANIPULATED}),
        (3, {"B": 0.6}, {Verdict.MANIPULATED}),
        (3, {"A": 0.6, "B": 0.6}, {Verdict.INCONCLUSIVE}),
    ],
)
def test_the_verdict_fits_the_segments_and_what_views_say_of_their_persons(
    tmp_path: Path, segments: int, stability: dict[str, float], fitting: set[Verdict]
) -> None:
    """Whatever another model says and all decide together: the segments are the first one's."""
    analysis = with_stability(build(tmp_path, segments=segments, kept=False, count=20), **stability)
    other = OtherModel(
        model=analysis.model,
        verdict=Verdict.MANIPULATED,
        reason="",
        probability=0.9,
        segments=(),
        persons=(),
        ran=Ran(backend="torch", precision="float32", device="cpu"),
    )
    for verdict in Verdict:
        joint = joint_verdict(JointRule.ANY, [("one", verdict), ("two", other.verdict)])
        for changed in ({}, {"others": (other,), "joint": joint}):
            results = CheckResults()
            text = analysis.model_copy(update={"verdict": verdict, **changed}).to_json()
            check_analysis("analysis.json", text.encode(), results)
            assert [problem.why for problem in results.problems] == (
                [] if verdict in fitting else ["its verdict and its segments contradict each other"]
            )


def test_a_missing_photograph_is_named(tmp_path: Path) -> None:
    changes = {"picture": "overlays/photo.png", "boxed": "overlays/faces.png"}
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0, kept=False).model_copy(update=changes)
    (tmp_path / "analysis.json").write_text(analysis.to_json())
    manifest = new_manifest(analysis, "result")
    listed = manifest.model_copy(update={"files": file_entries(tmp_path, ["analysis.json"])})
    for name, data in manifest_files(listed).items():
        (tmp_path / name).write_bytes(data)
    assert {(problem.file, problem.kind) for problem in problems(tmp_path)} == {
        ("overlays/photo.png", "missing"),
        ("overlays/faces.png", "missing"),
    }


def test_annotations_and_custody_are_checked_in_themselves(folder: Path) -> None:
    annotations = json.loads((folder / "annotations.json").read_bytes())
    annotations["annotations"][0]["verdict"] = "disagree"
    consistent(folder, "annotations.json", json.dumps(annotations).encode())
    log = json.loads((folder / "custody.json").read_bytes())
    del log["entries"][0]
    consistent(folder, "custody.json", json.dumps(log).encode())
    assert named(folder) >= {"annotations.json", "custody.json", "report.pdf/annotations.json"}
    assert any("changed after it was saved" in problem.why for problem in problems(folder))


def test_a_custody_log_of_another_exhibit(folder: Path) -> None:
    consistent(folder, "custody.json", custody("d" * 64))
    assert "custody.json" in named(folder)


def test_the_played_file_must_be_the_exhibit(tmp_path: Path, key: SigningKey) -> None:
    """And of what is not compared, a note says so, unless it is signed."""
    for name, played, signer in (
        ("exhibit", EXHIBIT, None),
        ("signed", EXHIBIT, key),
        ("another", b"another video altogether", None),
    ):
        (tmp_path / name).mkdir()
        done = verify(small_bundle(tmp_path / name, pdf=False, played=played, signer=signer)).results
        why = [] if played == EXHIBIT else [("media/exhibit.mp4", "it is not the exhibit that was analysed")]
        assert [(problem.file, problem.why) for problem in done.problems] == why
        assert any("index.html, README.txt" in note for note in done.notes) is (signer is None)


def test_a_preview_is_reported_as_not_compared(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    analysis, files = contents(tmp_path / "pictures", pdf=False)
    about = new_manifest(analysis, "bundle")
    review_bundle.write_bundle(tmp_path / "bundle.zip", files | {"media/preview.mp4": b"preview"}, about)
    done = verify(tmp_path / "bundle.zip").results
    assert done.problems == [] and "media/preview.mp4 is a preview" in done.notes[0]


def test_attachments_must_fit_the_text_on_integrity(tmp_path: Path) -> None:
    """Whoever swaps an attachment and makes the PDF's own digest fit is given away by its text."""
    path = tmp_path / "report.pdf"
    path.write_bytes(small_pdf({"scores.csv": b"time,score\n"}, scores="5" * 64))
    (problem,) = problems(path)
    assert (problem.file, problem.kind) == ("report.pdf/scores.csv", "changed")


def test_quoted_text_states_no_attachments(tmp_path: Path) -> None:
    """The exhibit's metadata, its name above each page, or a reviewer's note."""
    path, csv = tmp_path / "report.pdf", b"time,score\n"
    quoted = f"see laboratory.json {'6' * 64}, comparison-2.json {'7' * 64} and scores.csv {'5' * 64}"
    path.write_bytes(small_pdf({"scores.csv": csv}, quoted))
    assert problems(path) == []
    path.write_bytes(small_pdf({"scores.csv": csv}, quoted, scores="5" * 63 + "6"))
    assert [(p.file, p.kind) for p in problems(path)] == [("report.pdf/scores.csv", "changed")]


def test_comparisons_in_a_single_report_are_checked(tmp_path: Path) -> None:
    """One that was taken out, one that is none, one of another exhibit."""
    path, analysis = tmp_path / "report.pdf", small_analysis(tmp_path)
    text, csv = analysis.to_json().encode(), b"time,score\n"

    def found(attached: dict[str, bytes], **stated: str) -> list[tuple[str, str]]:
        path.write_bytes(small_pdf({"analysis.json": text, **attached}, **stated))
        return [(problem.file, problem.kind) for problem in problems(path)]

    def comparison(sha256: str) -> bytes:
        made = comparison_of(tmp_path, ("clip.mp4", "original.mp4"), (sha256, "e" * 64), related=False)
        return made.to_json().encode()

    both = f"{hashlib.sha256(csv).hexdigest()} comparison-12.json: {'4' * 64}"
    assert found({"scores.csv": csv}, scores=both) == [("report.pdf/comparison-12.json", "missing")]
    name = "comparison-1.json"
    assert found({name: b"{}"}) == [(f"report.pdf/{name}", "cannot be read")]
    assert found({name: comparison("d" * 64)}) == [(f"report.pdf/{name}", "does not fit")]
    assert found({name: comparison(analysis.media.sha256)}) == []


def test_scores_must_be_those_of_the_analysis(tmp_path: Path) -> None:
    path, analysis = tmp_path / "report.pdf", small_analysis(tmp_path)
    text, table = analysis.to_json().encode(), scores_csv(analysis)

    def found(scores: bytes) -> tuple[list[tuple[str, str]], int]:
        path.write_bytes(small_pdf({"analysis.json": text, "scores.csv": scores}))
        done = verify(path).results
        return [(problem.file, problem.kind) for problem in done.problems], len(done.notes)

    assert found(table) == ([], 0)
    assert found(table.replace(b",0.", b",0.1", 1)) == ([("report.pdf/scores.csv", "does not fit")], 0)
    assert found(table.replace(b",interpolated", b"", 1)) == ([], 1)  # as an earlier version's
