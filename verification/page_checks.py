"""``report.html`` rendered again and compared with the page that was handed over."""

from __future__ import annotations

import base64
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detector import timestamps
from detector.metadata.embedded_text import unescape_html
from detector.schema.analysis import Analysis
from language.languages import DEFAULT
from reports.comparison.kept import kept_comparisons
from reports.file_names import ANALYSIS, ANNOTATIONS, CASE, CUSTODY, LABORATORY, REPORT_HTML, SECOND_REVIEW
from reports.inputs.case import read_case
from reports.inputs.input_files import ExhibitCheck
from reports.inputs.pictures import COMPARISONS, embed
from reports.render.attachments import attachments
from reports.render.html import RENDERER, render_html, renderer
from reports.report_view import ReportInputs, report_view
from reports.review.annotation_file import read_file
from reports.untrusted_input import escapes_folder
from reports.wording.lengths import FULL, SUMMARY
from verification.checks import CheckResults, Source

_BESIDE = (ANNOTATIONS, CUSTODY, LABORATORY, SECOND_REVIEW)
_PICTURE = re.compile(r"data:image/jpeg;base64,([A-Za-z0-9+/=]*)")
_DATES = re.compile(r'<meta name="dcterms\.\w+" content="[^"]*"/>')
_LANGUAGE = re.compile(r'<html lang="([a-z]+)"')
_LENGTH = re.compile(r'<meta name="reelproof-length" content="summary"/>')
_CHECK = re.compile(r'<meta name="reelproof-check" content="([0-9a-f]*) (\d+) ([^"]+)"/>')
# Other versions of OpenCV encode a little differently. JPEG of quality 75 to 95, with colours at full or half
# width, is at most 5.6 grey levels apart on average, and 16.8 in a square; a heatmap left out, 61.
_NEAR = 6.0  # grey levels of 255 that pixels may differ by on average
_SQUARE, _NEAR_IN_SQUARE = 16, 20.0  # px, and on average in any square of that size


def check_page(
    source: Source, analysis: Analysis | None, attached: Mapping[str, bytes], results: CheckResults
) -> None:
    """Render ``report.html`` again from the files beside it and those in the PDF, and compare.

    A page of another version of Reelproof is not compared, which a note states. Pictures are decoded, so this
    must run in a confined process.
    """
    if (
        REPORT_HTML not in source.names
        or analysis is None
        or results.wrong(REPORT_HTML)
        or results.wrong(ANALYSIS)
    ):
        return
    try:
        page = source.read(REPORT_HTML)
        if f'<meta name="{RENDERER}" content="{renderer()}"/>'.encode() not in page:
            results.notes.append(_OTHER)
            return
        if sys.platform != "linux":
            results.notes.append(
                f"{REPORT_HTML} was not compared: it is rendered again in a confined process of Linux."
            )
            return
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            _put_there(source, analysis, attached, page, folder)
            difference = _differing(folder)
    except MemoryError:
        raise
    except Exception as error:  # of files that may hold anything any
        message = str(error).strip().splitlines()[-1:] or [""]
        difference = [f"it cannot be rendered again to compare it ({message[0][:160]})"]
    for why in difference:
        results.add(REPORT_HTML, "does not fit", why)


_OTHER = (
    f"{REPORT_HTML} was rendered by another version of Reelproof and was not compared with {ANALYSIS}: "
    "a change of it may go unseen. What counts is analysis.json, or the report of a signed bundle."
)


def _put_there(
    source: Source, analysis: Analysis, attached: Mapping[str, bytes], page: bytes, folder: Path
) -> None:
    paths = [path for segment in analysis.every_segment for path in segment.pictures]
    paths += analysis.voice.pictures if analysis.voice else ()
    names = {path for path in (*paths, analysis.picture, analysis.boxed) if path}
    compared = {name for name in source.names if name.startswith(f"{COMPARISONS}/")}
    compared = {name for name in compared if not escapes_folder(name)}
    files = {name: source.read(name) for name in ({*names, ANALYSIS, CASE} & source.names) | compared}
    for name in _BESIDE:
        # The PDF's were made with the page; the log beside it may have gone on.
        if (data := attached.get(name)) is not None:
            files[name] = data
        elif not attached and name in source.names:
            files[name] = source.read(name)
    for name, data in (files | {REPORT_HTML: page}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _differing(folder: Path) -> list[str]:
    """Return how the page differs from the one rendered from the other files."""
    files = {name: (folder / name).read_bytes() for name in _BESIDE if (folder / name).exists()}
    page_text, text = (folder / REPORT_HTML).read_text("utf-8"), (folder / ANALYSIS).read_bytes()
    analysis, language_match = Analysis.from_json(text), _LANGUAGE.search(page_text)
    inputs = ReportInputs(
        annotations=read_file(files[ANNOTATIONS]).annotations if ANNOTATIONS in files else (),
        case=read_case(folder).with_time_zone(),
        custody=files.get(CUSTODY),
        check=_stated_check(page_text),
        comparisons=kept_comparisons(folder, analysis.media.sha256),
        laboratory=files.get(LABORATORY),
        second_review=files.get(SECOND_REVIEW),
        language_code=language_match[1] if language_match else DEFAULT,
        length=SUMMARY if _LENGTH.search(page_text) else FULL,
    )
    view = report_view(analysis, folder, inputs)
    pictures = embed(folder, [picture.key for picture in view.pictures])
    expected_page = render_html(view, pictures, attachments(analysis, text, inputs))
    expected, actual = (_DATES.sub("", _PICTURE.sub("picture", page)) for page in (expected_page, page_text))
    if expected != actual:
        return [f"it does not say what {ANALYSIS} and the files beside it say: {_first(expected, actual)}"]
    pairs = zip(_PICTURE.findall(expected_page), _PICTURE.findall(page_text), strict=True)
    if not all(own == other or _alike(own, other) for own, other in pairs):
        return ["its pictures differ from those beside it"]
    return []


def _stated_check(page: str) -> ExhibitCheck | None:
    """Return the check of the exhibit that the page states; no other file contains it."""
    match = _CHECK.search(page)
    return ExhibitCheck(match[1], int(match[2]), timestamps.parse(match[3])) if match else None


def _first(expected: str, actual: str) -> str:
    """Return the first differing words of the page, and the expected words."""
    due, there = (_words(page) for page in (expected, actual))
    at = next((n for n, pair in enumerate(zip(due, there, strict=False)) if pair[0] != pair[1]), None)
    if at is None and len(due) == len(there):
        return "its markup was changed"
    start = max(0, (min(len(due), len(there)) if at is None else at) - 3)
    return f"“… {' '.join(there[start : start + 6])} …” instead of “… {' '.join(due[start : start + 6])} …”"


def _words(page: str) -> list[str]:
    # The page may be hostile: time must be linear where tags are not closed.
    *styled, rest = page.split("</style>")
    text = " ".join([*(part.partition("<style>")[0] for part in styled), rest])
    return unescape_html(re.sub(r"<[^<>]*>", " ", text)).split()


def _alike(own: str, other: str) -> bool:
    first, second = (_decoded(data) for data in (own, other))
    if first is None or second is None or first.shape != second.shape:
        return False
    apart = np.abs(first.astype(np.float32) - second.astype(np.float32)).max(axis=2)
    in_squares = cv2.blur(apart, (_SQUARE, _SQUARE), borderType=cv2.BORDER_REFLECT_101)
    return float(apart.mean()) <= _NEAR and float(in_squares.max()) <= _NEAR_IN_SQUARE


def _decoded(data: str) -> Any:
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
