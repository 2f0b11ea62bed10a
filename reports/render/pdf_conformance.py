"""Complete what WeasyPrint leaves open of PDF/A-3a and PDF/UA-1, and add the PDF's digest of itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pydyf

_PX = 0.75  # points a CSS pixel

_UA = b"""<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">\
<pdfuaid:part>1</pdfuaid:part></rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>Part of ISO 14289 the document follows</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>
"""


class _Null(pydyf.Object):
    """A null object in place of an object that is not needed.

    pydyf omits free objects, yet counts them in the object stream (ISO 32000-1, 7.5.8.3), so the index of all
    following objects would be wrong.
    """

    data = b"null"

    def __init__(self, pdf_object: pydyf.Object) -> None:
        super().__init__()
        self.number, self.generation = pdf_object.number, pdf_object.generation


def finish(pdf: pydyf.PDF, places: Mapping[str, str]) -> None:
    """Complete a document that WeasyPrint rendered as ``pdf/a-3a``; ``places`` names the targets of links."""
    _declare(pdf)
    _set_artifacts(pdf)
    for pdf_object in pdf.objects:
        if isinstance(pdf_object, pydyf.Stream):
            if pdf_object.extra.get("Subtype") == "/Image":
                pdf_object.extra["Interpolate"] = "false"
        elif isinstance(pdf_object, dict):
            _complete(pdf, pdf_object, places)
    if "AF" in pdf.catalog:
        pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))


def _at(pdf: pydyf.PDF, reference: bytes) -> Any:
    return pdf.objects[int(reference.split()[0])]


def _declare(pdf: pydyf.PDF) -> None:
    metadata = _at(pdf, pdf.catalog["Metadata"])
    (text,) = metadata.stream
    metadata.stream = [text.replace(b"</rdf:RDF>", _UA + b"</rdf:RDF>")]
    metadata.compress = False  # so that archives find it without reading PDF


def _set_artifacts(pdf: pydyf.PDF) -> None:
    """Turn marked content outside the structure tree into artifacts: it is in the margins."""
    root = _at(pdf, pdf.catalog["StructTreeRoot"])
    reached = set(_below(pdf, root))
    numbers = _at(pdf, root["ParentTree"])["Nums"]
    parents = dict(zip(numbers[::2], numbers[1::2], strict=True))
    for reference in pdf.page_references:
        page = _at(pdf, reference)
        own = parents[page["StructParents"]]
        margin = {mcid for mcid, element in enumerate(own) if element not in reached}
        if not margin:
            continue
        items = _at(pdf, page["Contents"]).stream
        for index, item in enumerate(items):
            if isinstance(item, dict) and item.get("MCID") in margin:
                items[index - 1] = "/Artifact"
                items[index] = pydyf.Dictionary({"Type": "/Pagination"})
        for mcid in margin:
            own[mcid] = "null"
    for number, pdf_object in enumerate(pdf.objects):
        if _is_element(pdf_object) and pdf_object.reference not in reached:
            pdf.objects[number] = _Null(pdf_object)


def _below(pdf: pydyf.PDF, element: Any) -> Iterator[bytes]:
    waiting = [element]
    while waiting:
        for kid in waiting.pop()["K"]:
            if isinstance(kid, bytes):
                child = _at(pdf, kid)
                if _is_element(child):
                    yield kid
                    waiting.append(child)


def _is_element(pdf_object: Any) -> bool:
    return isinstance(pdf_object, dict) and pdf_object.get("Type") == "/StructElem"


def _complete(pdf: pydyf.PDF, element: dict[str, Any], places: Mapping[str, str]) -> None:
    kind = element.get("S") if element.get("Type") == "/StructElem" else element.get("Subtype")
    if kind == "/TH":
        row = _at(pdf, element["P"])
        group = _at(pdf, row["P"]) if row.get("S") == "/TR" else row
        element["A"]["Scope"] = "/Column" if group.get("S") == "/THead" else "/Row"
    elif kind == "/Figure":
        left, top, right, bottom = (_PX * value for value in element["A"]["BBox"])
        height = _at(pdf, element["Pg"])["MediaBox"][3]
        element["A"]["BBox"] = pydyf.Array([left, height - bottom, right, height - top])
    elif kind == "/Link" and "Dest" in element:
        target = str(element["Dest"].string)
        element["Contents"] = pydyf.String(places.get(target, target))


DIGITS = 64
PLACEHOLDER = b"0" * DIGITS
_BEFORE = rb"/ID ?\[\("
_END = b"%%EOF\n"
_FOUND = re.compile(_BEFORE + rb"([0-9a-f]{64})\)")


def with_digest(document: bytes) -> bytes:
    """Return ``document`` with its digest in place of :data:`PLACEHOLDER`; raise ValueError without one."""
    places = list(re.finditer(_BEFORE + PLACEHOLDER + rb"\)", document))
    if not places:
        raise ValueError("the PDF has no placeholder for its digest")
    start = places[-1].end() - 1 - DIGITS
    digest = hashlib.sha256(document).hexdigest().encode()
    return document[:start] + digest + document[start + DIGITS :]


def covered_length(document: bytes) -> int | None:
    """Return the end of the revision that a digest in ``document`` covers, None if no digest is right.

    Anything after it was added later, such as a signature.
    """
    for place in reversed(list(_FOUND.finditer(document))):
        start, end = place.span(1)
        last = document.find(_END, end)
        stop = len(document) if last < 0 else last + len(_END)
        blank = document[:start] + PLACEHOLDER + document[end:stop]
        if hashlib.sha256(blank).hexdigest().encode() == place[1]:
            return stop
    return None


def states_digest(document: bytes) -> bool:
    """Return whether ``document`` states a digest of itself, right or wrong."""
    return _FOUND.search(document) is not None
