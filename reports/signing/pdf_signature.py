"""Sign a report: a PAdES B-B signature, tagged as PDF/UA demands, and visible where a page has room."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np
import pypdfium2
from pyhanko.pdf_utils import generic, layout
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.pdf_byterange import BuildProps
from pyhanko.stamp import StaticStampStyle
from weasyprint import HTML

from detector import timestamps
from detector.version import __version__
from reports import fonts
from reports.render.pdf import Finisher, SuppliedOnly, with_every_letter
from reports.render.pdf_conformance import covered_length
from reports.signing.keys import DIGEST, PROGRAM, SigningError, SigningKey


def tag_field(writer: IncrementalPdfFileWriter, page_number: int, words: str) -> None:
    """Add a form element for the last annotation of a page to the structure tree, read out as ``words``.

    A PDF without tags stays unchanged.
    """
    if "/StructTreeRoot" not in writer.root:
        return
    tree = writer.root["/StructTreeRoot"]
    page_ref = writer.find_page_for_modification(page_number)[0]
    page = page_ref.get_object()
    annotations = page["/Annots"]
    widget_ref = annotations.raw_get(len(annotations) - 1)
    widget = widget_ref.get_object()
    kids = tree["/K"]
    parent_ref = kids.raw_get(0) if isinstance(kids, generic.ArrayObject) else tree.raw_get("/K")
    form = writer.add_object(
        generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/StructElem"),
                pdf_name("/S"): pdf_name("/Form"),
                pdf_name("/P"): parent_ref,
                pdf_name("/Pg"): page_ref,
                pdf_name("/Alt"): generic.TextStringObject(words),
                pdf_name("/K"): generic.DictionaryObject(
                    {pdf_name("/Type"): pdf_name("/OBJR"), pdf_name("/Obj"): widget_ref}
                ),
            }
        )
    )
    _append_kid(parent_ref.get_object(), form)
    writer.mark_update(parent_ref)
    widget[pdf_name("/StructParent")] = _append_parent(tree, form)
    page[pdf_name("/Tabs")] = pdf_name("/S")
    numbers = tree["/ParentTree"]
    for changed in (numbers, numbers["/Nums"], tree, page, widget):
        writer.update_container(changed)


def _append_kid(parent: generic.DictionaryObject, kid: generic.IndirectObject) -> None:
    """Append a child to the structure element ``parent``, whose ``/K`` may be a single one."""
    below = parent.get("/K", generic.ArrayObject())
    if isinstance(below, generic.ArrayObject):
        kids = [below.raw_get(index) for index in range(len(below))]  # references stay references
    else:
        kids = [parent.raw_get("/K")]
    parent[pdf_name("/K")] = generic.ArrayObject([*kids, kid])


def _append_parent(tree: generic.DictionaryObject, element: generic.IndirectObject) -> generic.NumberObject:
    """Enter the element of an annotation into the parent tree and return its key."""
    entries = tree["/ParentTree"]["/Nums"]  # key and value by turns
    key = 1 + max((int(entries[i]) for i in range(0, len(entries), 2)), default=-1)
    entries.append(generic.NumberObject(key))
    entries.append(element)
    tree[pdf_name("/ParentTreeNextKey")] = generic.NumberObject(key + 1)
    return generic.NumberObject(key)


FIELD = "Signature"
LONGEST = 120  # characters of a reason or place
_MM = 72 / 25.4
_SIDE, _HEIGHT, _GAP = 18 * _MM, 23 * _MM, 4 * _MM  # margins left and right, of the stamp
_FOOT = 20 * _MM  # below it is the running footer
_STYLE = """
@page { size: %.2fpt %.2fpt; margin: 0 }
body { margin: 0; font: 8pt/1.3 %s; color: #1c2430 }
div { box-sizing: border-box; height: %.2fpt; padding: 1.6mm 2.4mm; border: 0.6pt solid #5b6675;
      border-left-width: 2.4pt; overflow: hidden }
b { font-size: 9pt } p { margin: 0 }
"""


class _Writer(IncrementalPdfFileWriter):
    """An incremental writer that keeps version, extensions and metadata of a PDF.

    pyHanko would raise the version to 2.0 and name two producers, which PDF/A-3 does not allow.
    """

    def ensure_output_version(self, version: tuple[int, int]) -> None:
        """Keep version 1.7, which is enough for a signature."""

    def register_extension(self, ext: object) -> None:
        """Register no extension."""

    def _update_meta(self) -> None:
        pass


@dataclass(frozen=True)
class _Place:
    """A page number from 0, and a rectangle in points from its lower left corner."""

    page: int
    box: tuple[int, int, int, int]


def sign_pdf(data: bytes, key: SigningKey, *, reason: str = "", place: str = "") -> bytes:
    """Return the PDF ``data`` with a signature by ``key`` appended.

    It is invisible if no page has room for it: programs list it all the same, and screen readers read it out.
    Raise :class:`SigningError` if it is not a PDF, is already signed, or was changed since Reelproof wrote it
    (the signer would vouch for the change).
    """
    for name, value in (("reason", reason), ("place", place)):
        if len(value) > LONGEST or any(ord(char) < 32 for char in value):
            raise SigningError(f"The {name} must be one line of at most {LONGEST} characters.")
    if not data.startswith(b"%PDF-"):
        raise SigningError("This is no PDF. Name a report.pdf.")
    now = datetime.now(UTC).replace(microsecond=0)
    words = _words(key, now, reason, place)
    try:
        writer = _Writer(io.BytesIO(data))
        if any(field for _, field, _ in fields.enumerate_sig_fields(writer.prev, filled_status=True)):
            raise SigningError("The report is signed already. Sign the report as Reelproof made it.")
        if covered_length(data) != len(data):
            raise SigningError("The PDF is not as Reelproof made it: it was changed, or is no report.")
        where = _free_place(data)
        page, box = (where.page, where.box) if where else (0, None)
        spec = fields.SigFieldSpec(FIELD, on_page=page, box=box, readable_field_name=" ".join(words))
        fields.append_signature_field(writer, spec)
        tag_field(writer, page, " ".join(words))
        meta = signers.PdfSignatureMetadata(
            field_name=FIELD,
            md_algorithm=DIGEST,
            subfilter=fields.SigSeedSubFilter.PADES,
            name=key.name,
            reason=reason or None,
            location=place or None,
            app_build_props=BuildProps(PROGRAM, revision=__version__),
        )
        with nullcontext() if box is None else _stamp(words, box) as style:
            signer = signers.PdfSigner(
                meta, signer=key.signer, timestamper=key.timestamper, stamp_style=style
            )
            return bytes(signer.sign_pdf(writer).getvalue())
    except PdfError as error:
        raise SigningError(f"The PDF cannot be signed: {error}. Make the report again.") from None


def _words(key: SigningKey, now: datetime, reason: str, place: str) -> list[str]:
    """Return the visible lines of the signature, the signer first."""
    vouches = (
        "Self-signed certificate: no other party confirms the name."
        if key.self_signed
        else f"Certificate issued by {key.issuer}."
    )
    lines = [f"Reason: {reason}." if reason else "", f"Place: {place}." if place else ""]
    return [
        f"Signed by {key.name}",
        f"{timestamps.readable(now)} by the signer's clock. SHA-256 of the certificate: "
        f"{key.certificate_sha256[:16]}…",
        *filter(None, [" ".join(filter(None, lines))]),
        f"{vouches} The signature holds an authority's timestamp." if key.timestamper else vouches,
        "Check it with python -m reports verify REPORT.pdf, or with any program for PDF signatures.",
    ]


@contextmanager
def _stamp(words: list[str], box: tuple[int, int, int, int]) -> Iterator[StaticStampStyle]:
    """Return the visible stamp in ``box``; its file exists while it is used."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as stamp:
        stamp.write(_appearance(words, box))
        stamp.flush()
        yield StaticStampStyle.from_pdf_file(
            stamp.name,
            border_width=0,
            background_layout=layout.SimpleBoxLayoutRule(
                layout.AxisAlignment.ALIGN_MID, layout.AxisAlignment.ALIGN_MID, layout.Margins()
            ),
        )


def _appearance(words: list[str], box: tuple[int, int, int, int]) -> bytes:
    """Return the stamp as a PDF of one page of the size of ``box``."""
    size = (box[2] - box[0], box[3] - box[1])
    lines = [f"<p><b>{escape(words[0])}</b></p>", *(f"<p>{escape(line)}</p>" for line in words[1:])]
    markup = f"<style>{_STYLE % (*size, fonts.MARGINS, size[1])}</style><div>{''.join(lines)}</div>"

    def write(markup: str, refuse_boxes: Finisher) -> bytes:
        return bytes(HTML(string=markup, url_fetcher=SuppliedOnly({})).write_pdf(finisher=refuse_boxes))

    return with_every_letter(markup, write)


def _free_place(data: bytes) -> _Place | None:
    """Return free space at the foot of the last page that has enough, or of the page with most.

    Return None if none has half of what a visible signature takes.
    """
    best, most = _Place(0, (0, 0, 0, 0)), 0.0
    with pypdfium2.PdfDocument(data) as document:
        for number in reversed(range(len(document))):
            page = document[number]
            height = page.get_height()
            shown = page.render(scale=1, grayscale=True).to_numpy().reshape(-1, int(page.get_width() + 0.999))
            inked = np.flatnonzero((shown < 250).any(axis=1)[: int(height - _FOOT)])
            lowest = height - (float(inked[-1]) + 1 if inked.size else 20 * _MM)
            top = lowest - _GAP
            if top - _FOOT > most:
                bottom = max(_FOOT, top - _HEIGHT)
                most = top - _FOOT
                right = page.get_width() - _SIDE
                best = _Place(number, (round(_SIDE), round(bottom), round(right), round(top)))
            if most >= _HEIGHT:
                break
    return best if most >= _HEIGHT / 2 else None
