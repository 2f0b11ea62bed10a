"""What ``reports verify`` reads is read in a confined process, within limits, and in likely sizes."""

from __future__ import annotations

import io
import json
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
from evidence import small_bundle, small_pdf, small_result

from detector.sandbox import Limits
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE
from verification import pdf_checks, repeated_pictures
from verification import verify as verification
from verification.verify import verify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="confinement is of Linux")
_PICTURE = repeated_pictures._Picture("a.png", None)


def attaching(data: bytes, filters: list[str]) -> bytes:
    """A PDF with ``data`` attached as analysis.json, said to be packed by ``filters``."""
    with pikepdf.new() as document:
        document.add_blank_page()
        stream = pikepdf.Stream(document, data)
        stream["/Type"] = pikepdf.Name("/EmbeddedFile")
        if filters:
            stream["/Filter"] = pikepdf.Array([pikepdf.Name(f"/{name}") for name in filters])
        file = pikepdf.Dictionary(
            Type=pikepdf.Name("/Filespec"), F="analysis.json", UF="analysis.json", EF={"/F": stream}
        )
        tree = pikepdf.Dictionary(Names=pikepdf.Array(["analysis.json", document.make_indirect(file)]))
        document.Root.Names = pikepdf.Dictionary(EmbeddedFiles=tree)
        written = io.BytesIO()
        document.save(written, compress_streams=False)
    return written.getvalue()


def test_an_attachment_deflated_twice_is_not_inflated() -> None:
    """Two kilobytes of it would be two gigabytes."""
    assert pdf_checks._attachments(attaching(b"{}", [])) == {"analysis.json": b"{}"}
    once = zlib.compress(b"{}")
    assert pdf_checks._attachments(attaching(once, ["FlateDecode"])) == {"analysis.json": b"{}"}
    with pytest.raises(ValueError, match="compressed in an unusual way"):
        pdf_checks._attachments(attaching(zlib.compress(once), ["FlateDecode", "FlateDecode"]))


def test_an_attachment_has_a_size_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pdf_checks, "LARGEST", 1000)
    with pytest.raises(ValueError, match="too large"):
        pdf_checks._attachments(attaching(zlib.compress(bytes(1001)), ["FlateDecode"]))
    path = tmp_path / "report.pdf"
    path.write_bytes(attaching(zlib.compress(zlib.compress(bytes(10**7))), ["FlateDecode", "FlateDecode"]))
    (damage,) = (p.why for p in verify(path).results.problems if p.kind == "cannot be read")
    assert "compressed in an unusual way" in damage


def test_annotations_have_a_size_limit(tmp_path: Path) -> None:
    folder = small_result(tmp_path / "result")
    saved = json.loads((folder / "annotations.json").read_bytes())
    (folder / "annotations.json").write_text(json.dumps(saved) + " " * LARGEST_ANNOTATION_FILE)
    problems = {(p.file, p.why) for p in verify(folder).results.problems}
    assert ("annotations.json", "it is too large for annotations") in problems
    assert ("report.pdf/annotations.json", True) in {
        (f, "one of the two is too large" in w) for f, w in problems
    }


def test_the_checks_run_where_nothing_else_can_be_read_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Watched(verification.Sandbox):
        def __init__(self, target, *arguments, limits, places, modules) -> None:  # type: ignore[no-untyped-def]
            started.append((target, places, limits))
            super().__init__(target, *arguments, limits=limits, places=places, modules=modules)

    monkeypatch.setattr(verification, "Sandbox", Watched)
    monkeypatch.setenv("REELPROOF_MEMORY_LIMIT_MB", "3000")
    path = small_bundle(tmp_path)
    done = verify(path)
    assert done.results.problems == [] and done.analysis is not None and done.kind == "bundle"
    ((target, places, limits),) = started
    assert target is verification._check_here and limits.memory == 3_000_000_000
    assert set(places.readable) == {path, path.with_name("bundle.zip.tsr")}
    assert len(places.writable) == 1 and not places.writable[0].exists()


def test_exceeding_limits_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Time counts when the process has ended too; its memory is no longer known then.
    monkeypatch.setattr(verification, "limits_of_environment", lambda: Limits(wall=0.0))
    path = tmp_path / "report.pdf"
    path.write_bytes(small_pdf({"scores.csv": b"x"}))
    (problem,) = verify(path).results.problems
    assert problem.file == "report.pdf" and problem.kind == "cannot be read"
    assert "more memory, time or disk than allowed" in problem.why


def test_pictures_are_decoded_in_a_confined_process(tmp_path: Path) -> None:
    grey, black = (
        cv2.imencode(".png", np.full((8, 8, 3), level, np.uint8))[1].tobytes() for level in (99, 0)
    )
    for number, data in enumerate((grey, black, b"none")):
        there, here = repeated_pictures._files_of(tmp_path, number)
        there.write_bytes(data)
        here.write_bytes(grey)
    same, other, none = repeated_pictures._compared(tmp_path, [_PICTURE] * 3)
    assert same == "" and "shows something else" in other and none == "it is no picture"


def test_pictures_that_exceed_limits_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELPROOF_MEMORY_LIMIT_MB", "1")
    for file in repeated_pictures._files_of(tmp_path, 0):
        file.write_bytes(cv2.imencode(".png", np.zeros((2000, 2000, 3), np.uint8))[1].tobytes())
    (why,) = repeated_pictures._compared(tmp_path, [_PICTURE])
    assert "it could not be compared" in why and "memory" in why
