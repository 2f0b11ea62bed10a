"""The ninety lines that go along with each bundle, alone in an interpreter, against ``reports verify``."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from evidence import ANALYSIS_ID, EXHIBIT, MOMENT, said, small_bundle, small_result, whole_log
from keys import make_key

from detector.files import ROOT
from reports.custody.chain import check_export
from reports.custody.format import Action
from reports.review.annotation_file import checksum, to_json
from reports.review.annotations import Annotation
from reports.signing.keys import read_key
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

PROGRAM = ROOT / "docs" / "verify_bundle.py"


def alone(*paths: Path, inside: Path | None = None) -> tuple[int, str]:
    """Run it with the standard library only: no site packages, no environment, no folder of its own."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(PROGRAM), *map(str, paths)],
        capture_output=True,
        text=True,
        cwd=inside,
    )
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    return small_bundle(folder, signer=read_key(*make_key(folder)[:2]))


def test_the_verifier_is_short_and_in_every_bundle(bundle: Path) -> None:
    text = PROGRAM.read_bytes()
    assert text.count(b"\n") <= 92
    with zipfile.ZipFile(bundle) as archive:
        assert archive.read("verify.py") == text


def test_valid_annotations_are_accepted(bundle: Path, folder: Path) -> None:
    for path in (bundle, folder):
        assert alone(path) == (0, "All files fit. Signatures were not checked.\n")


@pytest.mark.parametrize("name", ["", "notes.txt", "nothing"])
def test_a_section_without_content(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    status, output = alone(tmp_path / name)
    assert status == 2 and "no bundle (zip) and no folder with manifest.json" in output


def test_a_damaged_zip_does_not_fit(bundle: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.zip"
    half.write_bytes(bundle.read_bytes()[:-200])
    status, output = alone(half)
    assert status == 1 and "half.zip: the rest cannot be read: the zip is damaged" in output


def test_a_missing_manifest_is_explained(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("notes.txt", "x")
    status, output = alone(other)
    assert status == 2 and "holds no manifest.json. Nothing was checked." in output
    (tmp_path / "manifest.sha256").write_text("x")
    assert alone(tmp_path) == (1, "manifest.json: missing. Without it nothing can be compared.\n")


def test_the_current_folder_is_checked_by_default(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    assert alone(inside=tmp_path) == (0, "All files fit. Signatures were not checked.\n")
    (tmp_path / "more.txt").write_bytes(b"more")
    assert alone(inside=tmp_path) == (1, "more.txt: not listed\n")
    (tmp_path / "manifest.sha256").unlink()
    assert alone(inside=tmp_path) == (1, "manifest.sha256: missing\nmore.txt: not listed\n")


def test_both_know_another_video_from_the_exhibit(tmp_path: Path) -> None:
    for name, played, fits in (("exhibit", EXHIBIT, True), ("another", b"another video altogether", False)):
        (tmp_path / name).mkdir()
        path = small_bundle(tmp_path / name, pdf=False, played=played)
        status, output = alone(path)
        assert (status == 0) is fits and ("media/exhibit.mp4: not the exhibit" in output) is not fits
        assert ("media/exhibit.mp4" in {p.file for p in verify(path).results.problems}) is not fits


def test_names_cannot_write_a_verdict(bundle: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(bundle, tmp_path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x\x1b[2J\nAll files fit. Signatures were not checked.\n\x1b[8mü", b"")
    status, output = alone(path)
    assert status == 1 and all(line.isprintable() for line in output.splitlines())
    assert "All files fit. Signatures were not checked." not in output.splitlines()
    assert (
        r"x\x1b[2J\nAll files fit. Signatures were not checked.\n\x1b[8mü: not listed" in output.splitlines()
    )


def test_a_log_of_all_exhibits(folder: Path) -> None:
    """As ``reports render --custody`` may put there."""

    def said(**changes: object) -> set[str]:
        text = json.dumps(log | changes)
        (folder / "custody.json").write_text(text)
        fits = not check_export(text.encode())
        lines = {line for line in alone(folder)[1].splitlines() if line.startswith("custody.json: ")}
        assert fits is (lines == {"custody.json: changed"})  # its SHA-256 is not the manifest's in any case
        return lines - {"custody.json: changed"}

    log = json.loads(whole_log("3f" * 32))
    first, second, third, fourth = log["entries"]
    assert said() == set()
    gap = "custody.json: entry 4 does not follow the one before it"
    assert said(entries=[first, second, fourth]) == {gap}
    assert said(entries=[first, second, third | {"actor": "Bob"}, fourth]) == {
        "custody.json: entry 3 was changed"
    }
    assert said(entries=[first, second, third]) == {"custody.json: its head is not its last entry"}
    assert said(exhibit="3f" * 32) != set()


ADA, BEN = said("disagree"), said().model_copy(update={"id": "b" * 32, "author": "Ben"})
EARLY = BEN.model_copy(update={"made": MOMENT - timedelta(hours=1)})
LATER = BEN.model_copy(update={"made": MOMENT + timedelta(hours=1)})
KNOWN = (("intake", None, {}), ("analysis queued", ANALYSIS_ID, {}))
HELD = ("annotation", ANALYSIS_ID, {"id": ADA.id, "sha256": checksum([to_json(ADA)])})


@pytest.mark.parametrize(
    ("entries", "annotations", "names"),
    [
        ((*KNOWN, HELD), (ADA,), ()),
        ((*KNOWN, HELD), (ADA, LATER), ()),
        ((*KNOWN, HELD), (said("agree"),), ("annotations.json",)),
        ((*KNOWN, HELD), (ADA, EARLY), ("annotations.json",)),
        ((*KNOWN, HELD), (), ("annotations.json",)),
        ((KNOWN[0], HELD), (ADA,), ("custody.json",)),
        ((("view", None, {}), HELD), (ADA, EARLY), ()),
    ],
)
def test_both_hold_annotations_against_the_log(
    tmp_path: Path,
    entries: tuple[tuple[Action, str | None, dict[str, str]], ...],
    annotations: tuple[Annotation, ...],
    names: tuple[str, ...],
) -> None:
    """Whoever renders a whole result anew has the log beside it to mind."""
    folder = small_result(tmp_path / "result", annotations=annotations, entries=entries)
    lines = alone(folder)[1].splitlines()
    files = {
        line.partition(":")[0] for line in lines if line.startswith(("annotations.json", "custody.json"))
    }
    assert files == set(names), lines
    results = verify(folder).results
    assert {problem.file for problem in results.problems} == set(names), results.problems


@pytest.mark.parametrize("sha256", [None, "own", "0" * 64])
def test_both_hold_the_analysis_against_the_log(tmp_path: Path, sha256: str | None) -> None:
    """Which an entry of an earlier version does not hold."""
    made = small_result(tmp_path / "made")
    own = hashlib.sha256((made / "analysis.json").read_bytes()).hexdigest()
    held = {"analysis sha256": own if sha256 == "own" else sha256} if sha256 else {}
    entries = (*KNOWN, ("analysis finished", ANALYSIS_ID, held), HELD)
    folder = small_result(tmp_path / "result", annotations=(ADA,), entries=entries)
    names = {"analysis.json"} if sha256 == "0" * 64 else set()
    assert {line.partition(":")[0] for line in alone(folder)[1].splitlines() if ": " in line} == names
    assert {problem.file for problem in verify(folder).results.problems} == names


def changed(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        assert old in data
        (folder / name).write_bytes(data.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (changed("analysis.json", b'"A1"', b'"A2"'), "analysis.json"),
        (changed("report.html", b"<p>", b"<b>"), "report.html"),
        (changed("annotations.json", b"agree", b"adree"), "annotations.json"),
        (changed("custody.json", b"Ada", b"Eda"), "custody.json"),
        (changed("manifest.json", b'"contents"', b'"kontents"'), "manifest.json"),
        (changed("manifest.sha256", b"manifest", b"manifes7"), "manifest.sha256"),
        (changed("sha256sums.txt", b"report.html", b"rep0rt.html"), "sha256sums.txt"),
        (lambda folder: (folder / "overlays/A1-1.png").unlink(), "overlays/A1-1.png"),
        (lambda folder: (folder / "manifest.sig").unlink(), "manifest.sig"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest.json"),
        (lambda folder: (folder / "more.txt").touch(), "more.txt"),
        (lambda folder: shutil.copy(folder / "case.json", folder / "report.pdf"), "report.pdf"),
    ],
)
def test_both_name_the_same_in_a_folder(folder: Path, damage: Callable[[Path], None], name: str) -> None:
    damage(folder)
    status, output = alone(folder)
    assert status == 1 and name in output
    assert name in {problem.file for problem in verify(folder).results.problems}


def test_both_find_a_flipped_byte_in_a_zip(bundle: Path, tmp_path: Path) -> None:
    data, path = bundle.read_bytes(), tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle) as archive:
        directory = archive.start_dir
    for at in (
        0,
        6,
        10,
        15,
        40,
        directory // 2,
        directory + 5,
        directory + 12,
        directory + 38,
        len(data) - 4,
    ):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert alone(path)[0] == 1, at
        assert verify(path).results.problems, at


def test_damaged_annotations_and_logs_do_not_fit_despite_the_manifest(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:
    """A forger who makes all hashes of files fit still has those inside the files to mind."""
    annotations = json.loads((folder / "annotations.json").read_bytes())
    annotations["annotations"][0]["note"] = "1.0 and ümlauts"
    log = json.loads((folder / "custody.json").read_bytes())
    log["entries"][1]["actor"] = "Bob"
    (folder / "annotations.json").write_text(json.dumps(annotations))
    (folder / "custody.json").write_text(json.dumps(log))
    lines = alone(folder)[1].splitlines()
    assert "annotations.json: changed" in lines and "custody.json: entry 3 was changed" in lines
