"""Reports of every language verify: in a folder, alone, in a bundle, and once they are signed."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from analyses import build
from evidence import small_pdf
from keys import make_key

from cli.reports.main import main
from detector.schema.analysis import Analysis
from language.languages import LANGUAGES
from reports import write_report
from reports.bundle import review_bundle
from reports.bundle.manifest import OWN, new_manifest
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

CSV = b"time,score\n"


@pytest.fixture(scope="module", params=LANGUAGES)
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a result whose report speaks one of the languages; the exhibit's name misleads."""
    folder = tmp_path_factory.mktemp(request.param)
    name = f"laboratory.json {'6' * 64}.mp4"
    analysis = build(folder, persons=1, segments=1, peaks=1, count=3, picture=(16, 9), file=name)
    write_report(analysis, folder, language_code=request.param)
    return folder


def test_a_report_fits_in_its_folder_alone_and_in_a_bundle(result: Path, tmp_path: Path) -> None:
    analysis = Analysis.from_json((result / "analysis.json").read_bytes())
    names = {path.relative_to(result).as_posix() for path in result.rglob("*") if path.is_file()}
    files = {name: result / name for name in names - set(OWN)}
    review_bundle.write_bundle(tmp_path / "bundle.zip", files, new_manifest(analysis, "bundle"))
    for path in (result, result / "report.pdf", tmp_path / "bundle.zip"):
        assert verify(path).results.problems == []


def test_a_report_is_signed_and_fits_still(result: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(result, tmp_path / "result")
    key, password, certificate = map(str, make_key(tmp_path))
    assert main(["sign", str(folder), "--key", key, "--password-file", password]) == 0
    for path in (folder, folder / "report.pdf"):
        assert main(["verify", str(path), "--trust", certificate]) == 0


@pytest.mark.parametrize(("before", "after"), [("3.661 Byte ", ""), ("3 bytes ", " analysis.json"), ("", "")])
def test_words_beside_a_digest_may_end_or_begin_like_one(tmp_path: Path, before: str, after: str) -> None:
    path, digest = tmp_path / "report.pdf", hashlib.sha256(CSV).hexdigest()
    path.write_bytes(small_pdf({"scores.csv": CSV}, scores=f"{before}{digest}{after}"))
    assert verify(path).results.problems == []
    for at in (0, 31, 63):
        other = digest[:at] + ("0" if digest[at] != "0" else "1") + digest[at + 1 :]
        path.write_bytes(small_pdf({"scores.csv": CSV}, scores=f"{before}{other}{after}"))
        (problem,) = verify(path).results.problems
        assert (problem.file, problem.kind) == ("report.pdf/scores.csv", "changed")
