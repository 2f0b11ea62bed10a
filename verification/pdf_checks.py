"""The PDF report: its digest of itself, signature, and attachments."""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping

import pikepdf
import pypdfium2

from reports.custody.chain import compare_exports
from reports.file_names import ANALYSIS, ANNOTATIONS, CUSTODY
from reports.render import pdf_conformance
from reports.render.attachments import COMPARISON, HOLDS
from reports.review.annotation_file import LARGEST_ANNOTATION_FILE
from verification.checks import LARGEST, CheckResults
from verification.signatures import check_embedded
from verification.trusted_time import Trust

_COMPARISON = re.compile(re.escape(COMPARISON).replace("%d", r"\d+"))
# The section on integrity gives the SHA-256 of each attachment within so many characters of its name.
_NEAR = 400
# That section by the name of its heading, and what follows it: in a report, and in that of a validation.
_SECTIONS = (("signature", "reader"), ("integrity", "annex"))
_MARGIN = 18 * 72 / 25.4  # points, above and below what a page shows: running heads name the exhibit there
_OF_DAMAGE = (pikepdf.PdfError, pypdfium2.PdfiumError, zlib.error)
# Words that end or begin with a digit of it may stand beside a SHA-256, as the German "Byte" does.
_DIGITS = re.compile(r"[0-9a-f]{64,}")
_SPACE = re.compile(r"[\s\u200b\u00ad\ufeff]+")


def check_pdf(
    file: str,
    data: bytes,
    trust: Trust,
    results: CheckResults,
    beside: Callable[[str], bytes | None] = lambda name: None,
    *,
    alone: bool = False,
    without_digest: bool = False,
) -> Mapping[str, bytes]:
    """Check the report ``data``, called ``file``; return its attachments by name.

    ``beside`` returns a file of the same name that came along, to compare, or None. ``alone``: the report
    came alone and must be signed if signers are to be trusted. ``without_digest``: a manifest of version 1.0
    lists it, from when reports had no digest of themselves.
    """
    whole = pdf_conformance.covered_length(data)
    if whole is None:
        _note_digest(file, pdf_conformance.states_digest(data), without_digest, results)
    is_signed = check_embedded(file, data, whole, trust, results)
    if trust.asked_by and not is_signed and alone:
        results.add(file, "does not fit", f"it is not signed, but {trust.asked_by} demands it")
    try:
        attached = _attachments(data)
        text = _text_on_integrity(data)
    except (*_OF_DAMAGE, ValueError, TypeError, KeyError, OSError) as error:
        results.add(file, "cannot be read", f"it is damaged ({' '.join(str(error).split())[:120]})")
        return {}
    _check_attachments(file, attached, text, beside, results)
    if not attached:
        results.notes.append(f"{file} has no {ANALYSIS} attached: its text alone cannot be compared.")
    return attached


def _note_digest(file: str, states_digest: bool, without_digest: bool, results: CheckResults) -> None:
    """Record that no digest fits: one is stated, or none is expected."""
    if states_digest:
        results.add(file, "changed", "its bytes do not match its digest of itself")
    elif without_digest:
        results.notes.append(f"{file} was made before reports had a digest of themselves.")
    else:
        why = "it has no digest of itself: it is damaged, or not a report of this version of Reelproof"
        results.add(file, "changed", why)


def _check_attachments(
    file: str,
    attached: Mapping[str, bytes],
    text: str,
    beside: Callable[[str], bytes | None],
    results: CheckResults,
) -> None:
    """Compare the attachments of a report with its text on integrity and with the files that came along."""
    for name in (*HOLDS, *sorted(set(_COMPARISON.findall(text)))):
        if name not in attached and _stated(text, name) and beside(name) is None:
            results.add(f"{file}/{name}", "missing", "the report's text gives its SHA-256")
    for name, content in attached.items():
        results.files += 1
        digest = hashlib.sha256(content).hexdigest()
        if digest not in _stated(text, name):
            results.add(f"{file}/{name}", "changed", "its SHA-256 is not the one in the report's text")
        file_beside = beside(name)
        if file_beside is not None and (why := _differs(name, content, file_beside)):
            results.add(f"{file}/{name}", "does not fit", f"it is not the {name} beside the report: {why}")


def _differs(name: str, attached: bytes, beside: bytes) -> str:
    """Return why a file that came along contradicts the one in the report.

    Annotations of a bundle are the same ones, saved later than its report; its custody log may have
    continued.
    """
    try:
        if name == ANNOTATIONS:
            if max(len(attached), len(beside)) > LARGEST_ANNOTATION_FILE:
                return "one of the two is too large for annotations"
            is_same = json.loads(attached)["annotations"] == json.loads(beside)["annotations"]
            return "" if is_same else "it contains other annotations"
        if name == CUSTODY:
            return " ".join(compare_exports(attached, beside)[:1])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "one of the two cannot be read"
    return "" if attached == beside else "its bytes differ"


def _attachments(data: bytes) -> dict[str, bytes]:
    with pikepdf.open(io.BytesIO(data)) as document:
        return {name: _unpacked(spec.get_file().obj) for name, spec in document.attachments.items()}


def _unpacked(stream: pikepdf.Object | None) -> bytes:
    """Return an attachment as reports store it: deflated once, or not at all.

    One deflated twice could expand to a million times its size.
    """
    if stream is None:  # its reference leads to no object
        raise ValueError("an attachment has no content")
    packed = bytes(stream.read_raw_bytes())
    filters = stream.get("/Filter", pikepdf.Array())
    filter_names = list(filters) if isinstance(filters, pikepdf.Array) else [filters]
    if not filter_names:
        return packed
    if filter_names != [pikepdf.Name.FlateDecode] or "/DecodeParms" in stream:
        raise ValueError("an attachment is compressed in an unusual way")
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, LARGEST)
    if not unpacker.eof:
        raise ValueError("an attachment is too large, or cut off")
    return data


def _text_on_integrity(data: bytes) -> str:
    """Return the text of the section on integrity without spaces; all text of a PDF without that section.

    Other sections quote metadata and reviewers, who may name files and state SHA-256 values.
    """
    with pypdfium2.PdfDocument(data) as document:
        start, end = (0, math.inf), (len(document) - 1, 0.0)
        with pikepdf.open(io.BytesIO(data)) as document_:
            for heading, following in _SECTIONS:
                if place := _place(document_, heading):
                    start, end = place, _place(document_, following) or end
        texts = []
        for number in range(start[0], end[0] + 1):
            page = document[number]
            top = min(page.get_height() - _MARGIN, start[1] if number == start[0] else math.inf)
            bottom = max(_MARGIN, end[1] if number == end[0] else 0.0)
            if bottom < top:
                texts.append(page.get_textpage().get_text_bounded(bottom=bottom, top=top))
    return _SPACE.sub("", "".join(texts))


def _place(document: pikepdf.Pdf, heading: str) -> tuple[int, float] | None:
    """Return page and height of the heading with this name."""
    destinations = document.Root.get("/Names", pikepdf.Dictionary()).get("/Dests")
    place = None if destinations is None else pikepdf.NameTree(destinations).get(heading)
    return None if place is None else (document.pages.index(pikepdf.Page(place[0])), float(place[3]))


def _stated(text: str, name: str) -> set[str]:
    """Return every run of 64 hexadecimal digits shortly after a file's name in the text."""
    short = _SPACE.sub("", name)
    digests: set[str] = set()
    at = text.find(short)
    while at >= 0:
        after = text[at + len(short) : at + len(short) + _NEAR]
        if match := _DIGITS.search(after):
            digests |= {match[0][start : start + 64] for start in range(len(match[0]) - 63)}
        at = text.find(short, at + 1)
    return digests
