"""What WeasyPrint leaves open between PDF/A-3a and PDF/UA-1, put right in the finished document.

WeasyPrint declares one standard a document. The report keeps both: ISO 19005-3, level A, so
that it can be archived, and ISO 14289-1, so that everyone can read it. :func:`finish` works on
the objects WeasyPrint is about to write:

- XMP declares both, with the extension schema that PDF/A asks for before PDF/UA's own name is used;
- running heads and page numbers are artifacts, not content that belongs nowhere;
- header cells say whether they head a row or a column, links say in words where they lead;
- figures' boxes are in the coordinates of the page; pictures are not interpolated (ISO 19005-2, 6.2.8);
- each enclosed file is named once among the document's associated files.
"""

from __future__ import annotations

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
