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
    """Nothing, in the place of an object that is not needed.

    pydyf leaves out objects that are free and yet counts them where it says which place an object has in its
    stream (ISO 32000-1, 7.5.8.3): of all behind them the place would be wrong.
    """

    data = b"null"

    def __init__(self, each: pydyf.Object) -> None:
        super().__init__()
        self.number, self.generation = each.number, each.generation


def finish(pdf: pydyf.PDF, places: Mapping[str, str]) -> None:
    """Complete a document WeasyPrint has rendered as ``pdf/a-3a``; ``places`` names the targets of links."""
    _declare(pdf)
    _set_artifacts(pdf)
    for each in pdf.objects:
        if isinstance(each, pydyf.Stream):
            if each.extra.get("Subtype") == "/Image":
                each.extra["Interpolate"] = "false"
        elif isinstance(each, dict):
            _complete(pdf, each, places)
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
    """Turn marked content whose element hangs on no tree into artifacts: it stands in the margins."""
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
    for number, each in enumerate(pdf.objects):
        if _is_element(each) and each.reference not in reached:
            pdf.objects[number] = _Null(each)


def _below(pdf: pydyf.PDF, element: Any) -> Iterator[bytes]:
    waiting = [element]
    while waiting:
        for kid in waiting.pop()["K"]:
            if isinstance(kid, bytes):
                child = _at(pdf, kid)
                if _is_element(child):
                    yield kid
                    waiting.append(child)


def _is_element(each: Any) -> bool:
    return isinstance(each, dict) and each.get("Type") == "/StructElem"


def _complete(pdf: pydyf.PDF, each: dict[str, Any], places: Mapping[str, str]) -> None:
    kind = each.get("S") if each.get("Type") == "/StructElem" else each.get("Subtype")
    if kind == "/TH":
        row = _at(pdf, each["P"])
        group = _at(pdf, row["P"]) if row.get("S") == "/TR" else row
        each["A"]["Scope"] = "/Column" if group.get("S") == "/THead" else "/Row"
    elif kind == "/Figure":
        left, top, right, bottom = (_PX * value for value in each["A"]["BBox"])
        height = _at(pdf, each["Pg"])["MediaBox"][3]
        each["A"]["BBox"] = pydyf.Array([left, height - bottom, right, height - top])
    elif kind == "/Link" and "Dest" in each:
        target = str(each["Dest"].string)
        each["Contents"] = pydyf.String(places.get(target, target))


DIGITS = 64
PLACEHOLDER = b"0" * DIGITS
_BEFORE = rb"/ID ?\[\("
_END = b"%%EOF\n"
_FOUND = re.compile(_BEFORE + rb"([0-9a-f]{64})\)")


def with_digest(document: bytes) -> bytes:
    """``document`` with its digest in the place of :data:`PLACEHOLDER`; ValueError where there is none."""
    places = list(re.finditer(_BEFORE + PLACEHOLDER + rb"\)", document))
    if not places:
        raise ValueError("the PDF has no placeholder for its digest")
    start = places[-1].end() - 1 - DIGITS
    digest = hashlib.sha256(document).hexdigest().encode()
    return document[:start] + digest + document[start + DIGITS :]


def covered_length(document: bytes) -> int | None:
    """Where the revision ends that a digest in ``document`` covers; None where none of them fits.

    What follows, if anything, was added later, as a signature is.
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
    """Whether ``document`` states a digest of itself, fitting or not."""
    return _FOUND.search(document) is not None
