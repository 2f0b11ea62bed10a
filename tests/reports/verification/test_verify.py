"""Verification: what fits is said to fit, and every byte that was flipped is caught and named."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from analyses import build, with_stability
from evidence import EXHIBIT, contents, custody, small_analysis, small_bundle, small_pdf, small_result
from keys import make_key
from made_comparison_results import comparison_of

from detector.schema.analysis import MediaKind, OtherModel, Ran, Verdict
from detector.schema.joint_rule import JointRule
from detector.verdict.joint import joint
from reports.bundle import packing
from reports.bundle.archive import UNREADABLE, differences
from reports.bundle.manifest import file_entries, manifest_files, new_manifest
from reports.cli.main import main
from reports.exports.scores import scores_csv
from reports.signing.keys import SigningKey, read_key
from reports.signing.pdf import sign_pdf
from reports.verification.consistency import check_analysis
from reports.verification.problems import CheckResults, Problem
from reports.verification.signatures import check_detached
from reports.verification.trust import Trust
from reports.verification.verify import VerifyError, verify


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without a PDF, which takes longest to check."""
    return small_bundle(tmp_path_factory.mktemp("light"), pdf=False)


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def key(key_files: tuple[Path, Path, Path]) -> SigningKey:
    return read_key(*key_files[:2])


def problems(path: Path) -> list[Problem]:
    return verify(path).results.problems


def named(path: Path) -> set[str]:
    return {problem.file for problem in problems(path)}


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


def test_what_is_as_it_was_made_fits(bundle: Path, folder: Path, tmp_path: Path) -> None:
    result = small_result(tmp_path / "result")
    for path, files in ((bundle, 14), (folder, 14), (result, 12)):
        done = verify(path)
        assert (done.results.problems, done.results.files) == ([], files)
        assert done.analysis and "3f3f" in done.results.facts["exhibit"]


def places(data: bytes) -> Iterator[int]:
    """Every byte of headers, the list of files and the end; of contents the first, the last and some."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        last = 0
        for entry in archive.infolist():
            start = entry.header_offset + 30 + len(entry.filename)
            yield from range(entry.header_offset, start)
            yield from {start, start + entry.file_size // 3, start + entry.file_size - 1}
            last = start + entry.file_size
    yield from range(last, len(data))


def test_one_flipped_byte_anywhere_in_a_bundle(light: Path, tmp_path: Path) -> None:
    data, path = light.read_bytes(), tmp_path / "bundle.zip"
    with zipfile.ZipFile(light) as archive:
        starts = [(entry.header_offset, entry.filename) for entry in archive.infolist()]
        directory = archive.start_dir
    for at in list(places(data))[::7]:
        path.write_bytes(flipped(data, at))
        found = problems(path)
        assert found, at
        assert all(problem.why and "Traceback" not in problem.why for problem in found)
        owner = [name for start, name in starts if start <= at][-1]
        assert at >= directory or owner in {problem.file for problem in found}, (at, found)


def test_every_byte_of_the_container_is_determined(light: Path, tmp_path: Path) -> None:
    """Without the contents' own hashes: headers alone, each byte of them."""
    data, path = light.read_bytes(), tmp_path / "bundle.zip"
    with zipfile.ZipFile(light) as archive:
        names = archive.namelist()
    assert differences(light, names) == []
    for at in list(places(data))[::2]:
        path.write_bytes(flipped(data, at))
        try:
            found = bool(differences(path, names))
        except (*UNREADABLE, RuntimeError, KeyError):  # of which the caller says the same
            found = True
        assert found, at
    path.write_bytes(data + b"\0")
    assert differences(path, names)


def test_one_flipped_byte_in_every_file_of_a_folder(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data, name = path.read_bytes(), path.relative_to(folder).as_posix()
        for at in {0, len(data) // 2, len(data) - 1}:
            path.write_bytes(flipped(data, at))
            assert name in named(folder), (name, at)
        path.write_bytes(data)
    assert problems(folder) == []


def test_missing_added_and_swapped_files(folder: Path) -> None:
    (folder / "overlays/A1-1.png").unlink()
    (folder / "overlays/A1-1-map.png").write_bytes((folder / "overlays/A1-1-frame.png").read_bytes())
    (folder / "notes.txt").write_text("x")
    (folder / "case.json").unlink()
    (folder / "case.json").symlink_to("/etc/hostname")
    found = {(problem.file, problem.kind) for problem in problems(folder)}
    assert found >= {
        ("overlays/A1-1.png", "missing"),
        ("overlays/A1-1-map.png", "changed"),
        ("notes.txt", "not listed"),
        ("case.json", "cannot be read"),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [("manifest.json", "missing"), ("manifest.sha256", "missing"), ("custody.json", "missing")],
)
def test_what_is_removed_is_named(folder: Path, name: str, kind: str) -> None:
    (folder / name).unlink()
    assert (name, kind) in {(problem.file, problem.kind) for problem in problems(folder)}


def test_a_damaged_manifest_is_named_before_its_files(folder: Path) -> None:
    manifest = folder / "manifest.json"
    text = manifest.read_bytes()
    at = text.index(b'"sha256": "', text.index(b"report.html")) + 11
    manifest.write_bytes(text[:at] + (b"1" if text[at : at + 1] != b"1" else b"2") + text[at + 1 :])
    first, second, third = problems(folder)[:3]
    assert (first.file, first.kind, second.file) == ("manifest.json", "changed", "manifest.sha256")
    assert third.file == "report.html" and "itself changed" in third.why
    manifest.write_bytes(b"{")
    assert {p.kind for p in problems(folder) if p.file == "manifest.json"} == {"changed", "cannot be read"}


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
    said = {f"{problem.file}: {problem.why}" for problem in problems(folder)}
    assert said == {
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
        (3, {}, {Verdict.MANIPULATED}),  # as before schema 1.5: no second look
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
        told = joint(JointRule.ANY, [("one", verdict), ("two", other.verdict)])
        for changed in ({}, {"others": (other,), "joint": told}):
            said = CheckResults()
            text = analysis.model_copy(update={"verdict": verdict, **changed}).to_json()
            check_analysis("analysis.json", text.encode(), said)
            assert [problem.why for problem in said.problems] == (
                [] if verdict in fitting else ["its verdict and its segments contradict each other"]
            )


def test_a_missing_photograph_is_named(tmp_path: Path) -> None:
    told = {"picture": "overlays/photo.png", "boxed": "overlays/faces.png"}
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0, kept=False).model_copy(update=told)
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


def test_what_plays_is_the_exhibit(tmp_path: Path, key: SigningKey) -> None:
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


def test_a_preview_is_said_not_to_be_compared(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    analysis, files = contents(tmp_path / "pictures", pdf=False)
    about = new_manifest(analysis, "bundle")
    packing.write(tmp_path / "bundle.zip", files | {"media/preview.mp4": b"preview"}, about)
    done = verify(tmp_path / "bundle.zip").results
    assert done.problems == [] and "media/preview.mp4 is a preview" in done.notes[0]


def test_a_zip_packed_again_is_said_to_be(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.zip"
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    (problem,) = problems(path)
    assert problem.file == "again.zip" and "packed again" in problem.why


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 0.999])
def test_half_a_bundle(bundle: Path, tmp_path: Path, share: float) -> None:
    data, path = bundle.read_bytes(), tmp_path / "half.zip"
    path.write_bytes(data[: int(len(data) * share)])
    assert [problem.file for problem in problems(path)] == ["half.zip"]


def test_one_flipped_byte_in_a_report(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    data = small_pdf({"scores.csv": b"time,score\n"})
    path.write_bytes(data)
    assert problems(path) == []
    for at in {*range(0, len(data), 101), *range(len(data) - 150, len(data), 3), data.index(b"/ID [(") + 7}:
        path.write_bytes(flipped(data, at))
        assert "report.pdf" in named(path), at
    path.write_bytes(data + b"x")
    assert "report.pdf" in named(path)


def test_an_attachment_unlike_the_text(tmp_path: Path) -> None:
    """Whoever swaps an attachment and makes the PDF's own digest fit is given away by its text."""
    path = tmp_path / "report.pdf"
    path.write_bytes(small_pdf({"scores.csv": b"time,score\n"}, scores="5" * 64))
    (problem,) = problems(path)
    assert (problem.file, problem.kind) == ("report.pdf/scores.csv", "changed")


def test_what_is_quoted_of_others_states_no_attachments(tmp_path: Path) -> None:
    """The exhibit's metadata, its name above each page, or a reviewer's note."""
    path, csv = tmp_path / "report.pdf", b"time,score\n"
    quoted = f"see laboratory.json {'6' * 64}, comparison-2.json {'7' * 64} and scores.csv {'5' * 64}"
    path.write_bytes(small_pdf({"scores.csv": csv}, quoted))
    assert problems(path) == []
    path.write_bytes(small_pdf({"scores.csv": csv}, quoted, scores="5" * 63 + "6"))
    assert [(p.file, p.kind) for p in problems(path)] == [("report.pdf/scores.csv", "changed")]


def test_comparisons_of_a_report_that_came_alone(tmp_path: Path) -> None:
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


def test_scores_of_a_report_that_are_not_those_of_its_analysis(tmp_path: Path) -> None:
    path, analysis = tmp_path / "report.pdf", small_analysis(tmp_path)
    text, table = analysis.to_json().encode(), scores_csv(analysis)

    def found(scores: bytes) -> tuple[list[tuple[str, str]], int]:
        path.write_bytes(small_pdf({"analysis.json": text, "scores.csv": scores}))
        done = verify(path).results
        return [(problem.file, problem.kind) for problem in done.problems], len(done.notes)

    assert found(table) == ([], 0)
    assert found(table.replace(b",0.", b",0.1", 1)) == ([("report.pdf/scores.csv", "does not fit")], 0)
    assert found(table.replace(b",interpolated", b"", 1)) == ([], 1)  # as an earlier version's


def test_one_flipped_byte_of_what_is_signed(tmp_path: Path, key: SigningKey) -> None:
    folder = small_result(tmp_path / "result", key)
    done = verify(folder, [key.certificate])
    assert done.results.problems == [] and "Ada Examiner" in done.results.facts["signature of manifest.sig"]
    data, signature = ((folder / name).read_bytes() for name in ("manifest.json", "manifest.sig"))
    damaged = [(flipped(data, 50), signature), *((data, flipped(signature, at)) for at in range(0, 740, 29))]
    for text, each in damaged:
        results = CheckResults()
        check_detached("manifest.sig", text, each, Trust(), results)
        assert results.problems and not results.signed
    (folder / "manifest.sig").unlink()
    assert "manifest.sig" in named(folder)


def test_the_command(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(bundle)]) == 0
    assert "Everything fits." in capsys.readouterr().out
    path = tmp_path / "b.zip"
    data = bundle.read_bytes()
    path.write_bytes(flipped(data, data.index(b"12/26")))
    assert main(["verify", str(path), "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["fits"] is False and said["what"] == "bundle"
    assert {problem["file"] for problem in said["problems"]} == {"case.json"}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "no such file or folder"),
        ([__file__], "no review bundle"),
        (["RESULT/analysis.json"], "name the folder"),
        (["RESULT/manifest.json"], "name the folder"),
        (
            ["CASE"],
            "is a whole case: it is no review bundle and no folder that analyze --out wrote. Verify each",
        ),
        (["RESULT/overlays"], "holds no manifest.json"),
        (["RESULT/custody.json", "--model", "nowhere.safetensors"], "nothing to compare with"),
        (["BUNDLE", "--trust", "nowhere.pem"], "nowhere.pem"),
        (["BUNDLE", "--trust", __file__], "holds no certificate"),
        (["BUNDLE", "--model", "nowhere.safetensors"], "no such file"),
        (["BUNDLE", "--reanalyse", "nowhere.mp4"], "Name the exhibit"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    bundle: Path, folder: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = folder.with_name("case.zip")
    with zipfile.ZipFile(case, "w") as archive:
        archive.writestr("case.json", "{}")
        archive.write(bundle, f"analyses/{'c' * 32}.zip")
    for name, path in (("BUNDLE", bundle), ("RESULT", folder), ("CASE", case)):
        arguments = [each.replace(name, str(path)) for each in arguments]
    assert main(["verify", *arguments]) == 2
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1


def test_a_signature_that_is_asked_for_must_be_there(
    bundle: Path, key_files: tuple[Path, Path, Path]
) -> None:
    assert main(["verify", str(bundle), "--trust", str(key_files[2])]) == 1


def test_a_swapped_model_is_named(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "efficientnet_lite0_faces.safetensors"
    other.write_bytes(b"other weights")
    assert main(["verify", str(bundle), "--model", str(other)]) == 1
    assert "efficientnet_lite0_faces.safetensors: does not fit" in capsys.readouterr().out
    assert main(["verify", str(bundle), "--model", str(tmp_path)]) == 1


def test_a_bundle_of_which_only_the_report_is_signed_is_said_to_be(
    tmp_path: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever changes its pictures takes the manifest's signature away and leaves the signed report."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    analysis, files = contents(pictures)
    report = files["report.pdf"]
    assert isinstance(report, bytes)
    files["report.pdf"] = sign_pdf(report, key)
    only = "Only report.pdf is signed; all other files could have been changed."
    for signer, end in ((None, only), (key, "Everything fits.")):
        path = tmp_path / "bundle.zip"
        packing.write(path, files, new_manifest(analysis, "bundle", analysis_id="c" * 32), signer)
        assert main(["verify", str(path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == end
        assert main(["verify", str(path), "--format", "json"]) == 0
        assert (only in json.loads(capsys.readouterr().out)["notes"]) is (signer is None)


def test_a_bundle_cannot_write_its_own_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Onto a terminal, by names of files in it."""
    said = "  signature of manifest.sig  by the Police"
    forged = f"clip.mp4\n{said}\nEverything fits.\n{' ' * 200}{said}\x1b[8m\u202e\x9b8m\u2028"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    analysis, files = contents(pictures, pdf=False)
    analysis = analysis.model_copy(update={"media": analysis.media.model_copy(update={"file": forged})})
    files["analysis.json"] = analysis.to_json().encode()
    path = tmp_path / "bundle.zip"
    packing.write(path, files, new_manifest(analysis, "bundle", analysis_id="c" * 32))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x\x1b[2J\nEverything fits.", b"")
    assert main(["verify", str(path)]) == 1
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert not any(line.strip().startswith(("signature", "Everything")) for line in lines)
    assert r"clip.mp4\n signature of manifest.sig by the Police\nEverything fits." in printed
    assert all(line.isprintable() for line in lines)
    assert main(["verify", str(path), "--format", "json"]) == 1
    printed = capsys.readouterr().out
    assert all(line.isprintable() for line in printed.splitlines())
    assert forged in json.loads(printed)["facts"]["exhibit"]


def test_nor_does_a_refusal_print_what_a_bundle_says_raw(
    light: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(tmp_path / "\x1b[8m.zip")]) == 2
    assert r"\x1b[8m.zip: there is no such file" in capsys.readouterr().err


def test_an_empty_folder_and_a_folder_of_others(tmp_path: Path) -> None:
    """Nothing of them can be verified, which is another answer than that they were changed."""
    for _ in range(2):
        with pytest.raises(VerifyError, match="holds no manifest.json"):
            verify(tmp_path)
        shutil.copy(__file__, tmp_path)
    (tmp_path / "manifest.sha256").write_text("")
    assert ("manifest.json", "missing") in {(problem.file, problem.kind) for problem in problems(tmp_path)}


def test_a_damaged_log_is_a_log(tmp_path: Path) -> None:
    """By its name, or by what it says."""
    for name, data in (("custody.json", b"{}"), ("log.json", custody("d" * 64)[:-9])):
        (tmp_path / name).write_bytes(data)
        done = verify(tmp_path / name)
        assert done.what == "log" and [problem.kind for problem in done.results.problems] == ["changed"]
