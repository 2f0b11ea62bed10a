"""``report.html`` verified: rendered again from the files beside it, and compared."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from analyses import build, scene
from evidence import MOMENT, small_analysis, small_result
from evidence import said as annotation
from PIL import Image

from detector.schema.analysis import Analysis, MediaKind
from language.languages import LANGUAGES
from reports.bundle.manifest import file_entries, manifest_files, new_manifest
from reports.inputs.case import read_case
from reports.inputs.input_files import ExhibitCheck
from reports.inputs.pictures import embed
from reports.render.attachments import attachments
from reports.render.html import render_html, renderer
from reports.report_view import ReportInputs, report_view
from reports.review.annotation_file import file_text, read_file
from verification.checks import FileProblem
from verification.page_checks import _alike, _differing, _put_there, _stated_check
from verification.verify import verify

pytestmark = pytest.mark.usefixtures("unconfined")

HELD = ExhibitCheck("5" * 64, 9, MOMENT)  # the kept file is another one


@pytest.mark.parametrize("language_code", LANGUAGES)
@pytest.mark.parametrize("check", [None, HELD, ExhibitCheck("", 0, MOMENT)], ids=["none", "other", "gone"])
def test_the_page_states_the_check_of_the_exhibit(
    tmp_path: Path, check: ExhibitCheck | None, language_code: str
) -> None:
    """Read from the page's head, whatever its sentences are and whoever else writes the same ones."""
    analysis, text = small_analysis(tmp_path), "SHA-256, again, looked for on 2026-11-20 10:00:00 UTC"
    judgement = annotation("agree").model_copy(update={"note": text})
    data = file_text(
        [judgement],
        analysis="",
        analysis_sha256=hashlib.sha256(analysis.to_json().encode()).hexdigest(),
        exhibit_sha256=analysis.media.sha256,
        saved=MOMENT,
    )
    (tmp_path / "analysis.json").write_text(analysis.to_json())
    (tmp_path / "annotations.json").write_text(data)
    inputs = ReportInputs(
        annotations=[judgement],
        case=read_case(tmp_path).with_time_zone(),
        check=check,
        language_code=language_code,
    )
    view = report_view(analysis, tmp_path, inputs)
    enclosed = attachments(analysis, analysis.to_json().encode(), inputs)
    page = render_html(view, embed(tmp_path, [p.key for p in view.pictures]), enclosed)
    (tmp_path / "report.html").write_text(page)
    assert _stated_check(page) == check and _differing(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the page is rendered again in a confined process")
def test_a_changed_page_of_an_unsigned_result(tmp_path: Path) -> None:
    """With the sums beside it made anew; what the page says is what the other files make of it."""
    folder = small_result(tmp_path / "result")
    analysis = Analysis.from_json((folder / "analysis.json").read_bytes())
    log, annotation_bytes = ((folder / name).read_bytes() for name in ("custody.json", "annotations.json"))
    (folder / "report.pdf").unlink()
    annotations = read_file(annotation_bytes).annotations
    check = ExhibitCheck(analysis.media.sha256, analysis.media.bytes, MOMENT)
    case = read_case(folder).with_time_zone()
    inputs = ReportInputs(annotations=annotations, case=case, custody=log, check=check)
    view = report_view(analysis, folder, inputs)
    enclosed = attachments(analysis, (folder / "analysis.json").read_bytes(), inputs)
    page = render_html(view, embed(folder, [p.key for p in view.pictures]), enclosed)

    def found(text: str) -> list[FileProblem]:
        (folder / "report.html").write_text(text)
        names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
        listed = file_entries(folder, set(names) - {"manifest.json", "manifest.sha256"})
        whole = new_manifest(analysis, "result").model_copy(update={"files": listed})
        case = (folder / "case.json").read_bytes()
        for name, data in manifest_files(whole, case=case, custody=log).items():
            (folder / name).write_bytes(data)
        done = verify(folder).results
        assert not done.notes or "another version" in done.notes[0]
        return done.problems if not done.notes else [FileProblem("note", "changed", done.notes[0])]

    assert found(page) == [] and "Unchanged: the stored file" in page
    figure = view.segments[0].confidence
    (wrong,) = found(page.replace(figure, "0.01"))
    assert wrong.file == "report.html" and "0.01" in wrong.why and figure in wrong.why
    image = re.search(r"base64,([A-Za-z0-9+/=]{40,})", page)
    other = base64.b64encode(cv2.imencode(".jpg", np.zeros((9, 16, 3), np.uint8))[1].tobytes()).decode()
    assert image and "pictures differ" in found(page.replace(image[1], other, 1))[0].why
    assert "another version" in found(page.replace(renderer(), "0" * 32))[0].why


def test_the_page_of_a_photo_is_rendered_again_with_its_boxed_faces(tmp_path: Path) -> None:
    paths = {"picture": "overlays/photo.png", "boxed": "overlays/faces.png"}
    analysis = build(tmp_path, kind=MediaKind.IMAGE, segments=0).model_copy(update=paths)
    beside = {"analysis.json": b"{}", **dict.fromkeys(paths.values(), b"png"), "other.txt": b"no part of it"}
    source = SimpleNamespace(names=set(beside), read=beside.__getitem__)
    _put_there(source, analysis, {}, b"page", tmp_path / "page")  # type: ignore[arg-type]
    put = {p.relative_to(tmp_path / "page").as_posix() for p in (tmp_path / "page").rglob("*") if p.is_file()}
    assert put == {"analysis.json", "report.html", *paths.values()}


def test_pictures_may_be_encoded_otherwise_but_show_the_same() -> None:
    picture = scene(3, 640, 360)

    def encoded(image: np.ndarray, quality: int = 85, subsampling: int = 2) -> str:
        data = io.BytesIO()
        Image.fromarray(image[..., ::-1]).save(data, "JPEG", quality=quality, subsampling=subsampling)
        return base64.b64encode(data.getvalue()).decode()

    own = base64.b64encode(
        cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    ).decode()
    for quality in (75, 80, 85, 92, 95):
        for subsampling in (0, 1, 2):
            assert _alike(own, encoded(picture, quality, subsampling)), (quality, subsampling)
    # Both are small beside the whole picture, on average over which they change less than an encoder does.
    heat, pasted = picture.copy(), picture.copy()
    heat[100:130, 200:230] = (0.6 * picture[100:130, 200:230] + 0.4 * np.array([30, 60, 240])).astype(
        np.uint8
    )
    pasted[40:140, 60:140] = picture[200:300, 460:540]
    for changed in (heat, pasted):
        assert np.abs(changed.astype(float) - picture).mean() < 3
        assert not _alike(own, encoded(changed))
    assert not _alike(own, encoded(picture[:-1])) and not _alike(own, "AAAA")
