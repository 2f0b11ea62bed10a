"""Comparisons with a reference in the report, beside it, and checked with it."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path

import pikepdf
import pytest
from analyses import EXHIBIT_SHA256, build
from made_comparison_results import comparison_of
from pdf_rules import broken

from cli.reports.main import main
from detector.comparison.statements import (
    hidden_faces_remark,
    region_statement,
    segment_statement,
    small_faces_remark,
    summary,
)
from detector.schema.analysis import Analysis, MediaKind
from detector.schema.causes.cause import join
from detector.schema.causes.comparisons import ComparisonCode
from detector.schema.comparison import Comparison, Region
from reports import write_report
from reports.bundle import manifest, review_bundle
from reports.comparison.kept import ComparisonFileError, kept_comparisons
from reports.file_names import MANIFEST
from reports.inputs.pictures import embed
from reports.render.attachments import attachments
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.report_view import ReportInputs, report_view
from reports.wording.sections import contents
from verification import comparison_checks
from verification.comparison_checks import contradictions
from verification.recomparison import differences
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

REFERENCE = "ab" * 32


def beside(
    folder: Path, name: str = "original", exhibit: str = EXHIBIT_SHA256, **choices: bool
) -> Comparison:
    """A comparison kept in the folder of a result."""
    place = folder / "comparisons" / name
    place.mkdir(parents=True)
    made = comparison_of(place, ("clip.mp4", f"{name}.mp4"), (exhibit, REFERENCE), **choices)
    (place / "comparison.json").write_text(made.to_json())
    return made


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    return build(tmp_path, segments=1, peaks=1)


def page_of(analysis: Analysis, folder: Path) -> str:
    compared = kept_comparisons(folder, analysis.media.sha256)
    view = report_view(analysis, folder, ReportInputs(comparisons=compared))
    pictures = embed(folder, [picture.key for picture in view.pictures])
    return render_html(view, pictures, attachments(analysis, b"{}", ReportInputs(comparisons=compared)))


def test_the_section_states_what_it_proves(analysis, tmp_path):
    made = beside(tmp_path)
    page = page_of(analysis, tmp_path)
    section = page.split('<h2 id="reference">')[1].split('<h2 id="method">')[0]
    assert "7 Comparison with a reference" in section
    for text in (made.statement, made.limits, REFERENCE, EXHIBIT_SHA256, "original.mp4", "00:00:02.000"):
        assert text in section
    assert section.count("<img ") == 3 and section.count("<svg ") == 1
    assert "8 Exhibit" in page and "9 Method and parameters" in page
    assert "One face differs from the reference." in page


def test_without_second_review_section_numbers_stay(analysis, tmp_path):
    page = page_of(analysis, tmp_path)
    assert "Comparison with a reference" not in page and "8 Method and parameters" in page
    assert [section.number for section in contents(False).values()] == list(range(1, 15))


def test_unrelated_and_a_photograph(tmp_path):
    analysis = build(tmp_path, segments=1, peaks=1, kind=MediaKind.IMAGE)
    beside(tmp_path, "a", related=False)
    beside(tmp_path, "b", still=True)
    section = page_of(analysis, tmp_path).split('<h2 id="reference">')[1]
    assert (
        "the two files are unrelated" in section
        and "It does not say that the exhibit is authentic" in section
    )
    assert "<svg" not in section.split("</section>")[0]
    assert "Parts of the reference" not in section


def test_the_pdf_keeps_the_rules_and_carries_it(analysis, tmp_path):
    beside(tmp_path)
    inputs = ReportInputs(comparisons=kept_comparisons(tmp_path, EXHIBIT_SHA256))
    view = report_view(analysis, tmp_path, inputs)
    pictures = embed(tmp_path, [picture.key for picture in view.pictures])
    enclosed = attachments(analysis, analysis.to_json().encode(), inputs)
    assert [attachment.name for attachment in enclosed] == [
        "analysis.json",
        "comparison-1.json",
        "scores.csv",
    ]
    document = render_pdf(view, pictures, enclosed)
    with pikepdf.open(io.BytesIO(document)) as pdf:
        assert broken(pdf) == []
    assert document == render_pdf(view, pictures, enclosed)


def test_a_review_of_another_exhibit_is_refused(analysis, tmp_path):
    beside(tmp_path, exhibit="cd" * 32)
    with pytest.raises(ComparisonFileError, match="compares another exhibit"):
        page_of(analysis, tmp_path)
    (tmp_path / "comparisons/original/comparison.json").write_text("{}")
    with pytest.raises(ComparisonFileError, match="is no comparison of Reelproof"):
        page_of(analysis, tmp_path)


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    beside(folder)
    write_report(build(folder, segments=1, peaks=1), folder)
    return folder


class TestVerified:
    @pytest.fixture
    def folder(self, result, tmp_path) -> Path:
        return Path(shutil.copytree(result, tmp_path / "result"))

    def problems(self, path: Path) -> list[tuple[str, str]]:
        return [(problem.file, problem.kind) for problem in verify(path).results.problems]

    def test_everything_fits(self, folder, tmp_path):
        done = verify(folder)
        assert done.results.problems == [] and list(done.comparisons) == [
            "comparisons/original/comparison.json"
        ]
        listed = manifest.read_manifest((folder / MANIFEST).read_bytes()).files
        assert "comparisons/original/pictures/A1-1.png" in {entry.path for entry in listed}

    def test_changed_files_are_named(self, folder):
        path = folder / "comparisons" / "original" / "comparison.json"
        path.write_text(path.read_text().replace('"confidence": 0.97', '"confidence": 0.50'))
        problems = self.problems(folder)
        assert ("comparisons/original/comparison.json", "changed") in problems
        assert ("report.pdf", "does not fit") in problems

    def test_changing_manifest_and_sums_too_does_not_help(self, folder, tmp_path):
        """In an unsigned bundle the page is rendered again from what lies beside it."""
        path = folder / "comparisons" / "original" / "comparison.json"
        files: dict[str, bytes | Path] = {
            entry.path: folder / entry.path
            for entry in manifest.read_manifest((folder / MANIFEST).read_bytes()).files
        }
        changed = path.read_bytes().replace(b'"confidence": 0.97', b'"confidence": 0.50')
        files[path.relative_to(folder).as_posix()] = changed
        bundle = tmp_path.parent / f"{tmp_path.name}.zip"
        about = manifest.new_manifest(Analysis.from_json((folder / "analysis.json").read_bytes()), "bundle")
        review_bundle.write_bundle(bundle, files, about)
        assert {file for file, _ in self.problems(bundle)} == {"report.html", "report.pdf"}
        assert "comparisons/original/comparison.json" in zipfile.ZipFile(bundle).namelist()

    def test_a_missing_picture(self, folder):
        (folder / "comparisons/original/pictures/A1-1.png").unlink()
        assert ("comparisons/original/pictures/A1-1.png", "missing") in self.problems(folder)

    def test_references_need_the_exhibit(self, folder, capsys):
        assert main(["verify", str(folder), "--reference", "x.mp4"]) == 2
        assert "name it with --reanalyse EXHIBIT" in capsys.readouterr().err


def test_sentences_must_follow_from_the_figures(tmp_path):
    place = tmp_path / "one"
    place.mkdir()
    comparison = comparison_of(place, ("a", "b"), (EXHIBIT_SHA256, REFERENCE))
    (segment,) = comparison.segments
    region = Region(
        id="R1", box=(1, 2, 30, 40), start=1.0, end=2.0, difference=2.0, frames=8, peaks=(), statement=""
    )
    cause = region_statement(region)
    region = region.model_copy(update={"statement": cause.text, "cause": cause})
    remarks = (*(small_faces_remark(count, 24.0) for count in (1, 1200)), hidden_faces_remark(2))
    left_out = {
        "not_compared": tuple(remark.text for remark in remarks),
        "not_compared_causes": remarks,
    }
    comparison = comparison.model_copy(update={"regions": (region,), **left_out})
    causes = tuple(summary(comparison))
    comparison = comparison.model_copy(update={"statement": join(causes), "causes": causes})
    assert list(contradictions(comparison)) == []
    earlier = comparison.model_dump(exclude={"causes", "limits_cause", "not_compared_causes"})
    for part in (*earlier["segments"], *earlier["regions"], *earlier["gaps"]):
        del part["cause"]
    at_first = "12 faces are less than 24 pixels wide in one of the files."  # before 26 November 2026
    earlier["not_compared"] = (*earlier["not_compared"], at_first)
    assert list(contradictions(Comparison.model_validate(earlier))) == []
    unrelated = comparison_of(place, ("a", "b"), (EXHIBIT_SHA256, REFERENCE), related=False)
    assert list(contradictions(unrelated)) == []
    first_limits = {"limits": comparison_checks._UNRELATED_BEFORE[0], "limits_cause": None}
    assert list(contradictions(unrelated.model_copy(update=first_limits))) == []

    def told(part: dict[str, object]) -> list[str]:
        return list(contradictions(comparison.model_copy(update=part)))

    claim = {"statement": "The face was replaced by the accused."}
    for forged, words in (
        (claim, "its overall statement"),
        ({"limits": "It proves which file is the original."}, "statement on limits"),
        ({"limits": unrelated.limits}, "statement on limits"),
        ({"regions": (region.model_copy(update=claim),)}, "of R1"),
        ({"not_compared": ("Nothing was left out.",)}, "was not compared"),
        ({"not_compared_causes": remarks[:1]}, "was not compared"),
        ({"causes": (*causes[:-1], ComparisonCode.UNRELATED.cause())}, "its overall statement"),
        ({"limits_cause": unrelated.limits_cause}, "statement on limits"),
        ({"regions": (region.model_copy(update={"cause": causes[0]}),)}, "of R1"),
        ({"gaps": (comparison.gaps[0].model_copy(update={"reason": "was cropped"}),)}, "reason of the gap"),
    ):
        assert [words in problem for problem in told(forged)] == [True], (forged, told(forged))
    assert "of segment A1" in told({"segments": (segment.model_copy(update=claim),)})[0]
    stronger = segment.model_copy(update={"difference": 6.4})
    cause = segment_statement(stronger)
    stronger = stronger.model_copy(update={"statement": cause.text, "cause": cause})
    assert told({"segments": (stronger,)})[0] == "the differences of segment A1 are not those of its frames"
    endless = segment.model_copy(update={"difference": 9e9})
    assert "no sentence can be made" in told({"segments": (endless,)})[-1]


def test_figures_of_two_comparisons(tmp_path):
    comparison = comparison_of(tmp_path, ("a", "b"), (EXHIBIT_SHA256, REFERENCE))
    (segment,), (gap,), transform = comparison.segments, comparison.gaps, comparison.transform
    region = Region(
        id="R1", box=(1, 2, 30, 40), start=1.0, end=2.0, difference=2.0, frames=8, peaks=(), statement=""
    )
    comparison = comparison.model_copy(update={"regions": (region,)})

    def words(**changed: object) -> list[str]:
        return list(differences(comparison.model_copy(update=changed), comparison))

    assert words() == []
    assert words(segments=(segment.model_copy(update={"difference": segment.difference + 0.05}),)) == []
    for forged, problem in (
        ({"segments": (segment.model_copy(update={"difference": 6.4}),)}, "segments A1 difference is"),
        ({"segments": (segment.model_copy(update={"surroundings": 3.0}),)}, "segments A1 surroundings is"),
        ({"segments": (segment.model_copy(update={"frames": 90}),)}, "segments A1 frames is 12, where 90"),
        ({"segments": (segment.model_copy(update={"reference_end": 7.5}),)}, "segments A1 reference end is"),
        ({"regions": (region.model_copy(update={"difference": 9.0}),)}, "regions R1 difference is"),
        (
            {"regions": (region.model_copy(update={"box": (100, 2, 130, 40)}),)},
            "regions R1 box lies elsewhere",
        ),
        ({"regions": (region.model_copy(update={"end": 4.0}),)}, "regions R1 end is"),
        ({"transform": transform.model_copy(update={"mirror": True})}, "the picture lies otherwise"),
        ({"transform": transform.model_copy(update={"crop": (0, 0, 160, 90)})}, "the picture lies otherwise"),
        ({"transform": None}, "in only one of the two"),
        (
            {"gaps": ()},
            "that the exhibit shows nothing of the reference from 00:00:05.000 on is not",
        ),
        ({"gaps": (gap, gap.model_copy(update={"end": 9.0}))}, "is not found"),
        ({"persons": ()}, "faces were compared in only one of the two"),
        (
            {"reference": comparison.reference.model_copy(update={"width": 640})},
            "reference width is 320, where 640",
        ),
    ):
        assert [problem in difference for difference in words(**forged)] == [True], (forged, words(**forged))


def test_differences_of_two_comparisons(tmp_path):
    comparison = comparison_of(tmp_path, ("a", "b"), (EXHIBIT_SHA256, REFERENCE))
    (segment,), (piece,) = comparison.segments, comparison.time_map
    assert list(differences(comparison, comparison)) == []
    earlier = comparison.gaps[0].model_copy(update={"reason": "as 0.2 put it", "cause": None})
    assert list(differences(comparison.model_copy(update={"gaps": (earlier,)}), comparison)) == []
    near = segment.model_copy(update={"confidence": segment.confidence - 0.005, "end": segment.end - 0.12})
    assert list(differences(comparison, comparison.model_copy(update={"segments": (near,)}))) == []
    far = segment.model_copy(update={"confidence": 0.5, "end": segment.end - 0.3})
    words = list(differences(comparison, comparison.model_copy(update={"segments": (far,)})))
    assert [word.partition(" is ")[0] for word in words] == ["segments A1 end", "segments A1 confidence"]
    moved = piece.reference.model_copy(update={"start": piece.reference.start + 0.2})
    elsewhere = comparison.model_copy(update={"time_map": (piece.model_copy(update={"reference": moved}),)})
    assert re.match(r"time map 1 reference lies 0\.200 s elsewhere", *differences(comparison, elsewhere))
    assert list(differences(comparison, comparison.model_copy(update={"segments": ()}))) == [
        "segments has 1 item that stands in only one of the two"
    ]
    assert list(differences(comparison, comparison.model_copy(update={"related": False}))) == [
        "the files are unrelated"
    ]
