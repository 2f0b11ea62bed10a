"""Rules of PDF/A-3a (ISO 19005-3) and PDF/UA-1 (ISO 14289-1) that a structural check can decide.

No validator could be had from a package registry, so these are written from the standards,
apart from the code that makes reports, and read the file with pikepdf. Each function yields
what breaks a rule, in words with the clause.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pikepdf
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.xref import ObjStreamRef

PAINTS = {"Tj", "TJ", "'", '"', "f", "F", "f*", "B", "B*", "b", "b*", "S", "s", "sh", "Do", "EI"}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
A, UA = "{http://www.aiim.org/pdfa/ns/id/}", "{http://www.aiim.org/pdfua/ns/id/}"
SCHEMA, PROPERTY = "{http://www.aiim.org/pdfa/ns/schema#}", "{http://www.aiim.org/pdfa/ns/property#}"
HEADINGS = ["/H1", "/H2", "/H3", "/H4", "/H5", "/H6"]


def broken(pdf: pikepdf.Pdf) -> list[str]:
    """Everything that breaks a rule."""
    checks = (_file, _metadata, _objects, _fonts, _content, _tree, _tables, _annotations, _attachments)
    return [problem for check in checks for problem in check(pdf)]


def misplaced(data: bytes) -> list[int]:
    """Numbers of objects that are not where the cross-references say (ISO 32000-1, 7.5.8.3).

    Most readers look them up by number; pyHanko, which is strict about it, and others by their place.
    """
    reader, numbers = PdfFileReader(io.BytesIO(data)), []
    in_streams: dict[int, list[int]] = {}
    for number in range(1, int(reader.trailer["/Size"])):
        reference = generic.Reference(number, 0, reader)
        place = reader.xrefs[reference]
        if isinstance(place, ObjStreamRef):
            # pyHanko reads the list of all objects in a stream again for each of them, thousands of times.
            stream = place.obj_stream_id
            if stream not in in_streams:
                in_streams[stream] = _numbers(reader.get_object(generic.Reference(stream, 0, reader)))
            if in_streams[stream][place.ix_in_stream : place.ix_in_stream + 1] != [number]:
                numbers.append(number)
            continue
        try:
            reader.get_object(reference)
        except PdfReadError:
            numbers.append(number)
    return numbers


def _numbers(stream: Any) -> list[int]:
    """Those of the objects in an object stream, in its order (ISO 32000-1, 7.5.7)."""
    pairs = stream.data[: int(stream["/First"])].split()
    return [int(number) for number in pairs[::2]]


def elements(pdf: pikepdf.Pdf) -> Iterator[Any]:
    """The structure elements, in reading order."""
    waiting = [pdf.Root.StructTreeRoot.K]
    while waiting:
        kid = waiting.pop()
        if isinstance(kid, pikepdf.Array):
            waiting.extend(reversed(list(kid)))
        elif isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            yield kid
            if "/K" in kid:
                waiting.append(kid.K)


def _file(pdf: pikepdf.Pdf) -> Iterator[str]:
    root = pdf.Root
    if pdf.is_encrypted:
        yield "A 6.1.3: encrypted"
    if "/ID" not in pdf.trailer:
        yield "A 6.1.3: no file identifier"
    if "/Lang" not in root:
        yield "UA 7.2: no language"
    if not (root.get("/MarkInfo") or {}).get("/Marked"):
        yield "UA 7.1: not marked as tagged"
    if not (root.get("/ViewerPreferences") or {}).get("/DisplayDocTitle"):
        yield "UA 7.1: the title is not displayed"
    for name in ("/AA", "/OpenAction"):
        if name in root:
            yield f"A 6.5: {name}"
    intents = [intent for intent in root.get("/OutputIntents", []) if intent.S == "/GTS_PDFA1"]
    if len(intents) != 1 or intents[0].DestOutputProfile.read_bytes()[36:40] != b"acsp":
        yield "A 6.2.3: no output intent with an ICC profile"
    if "/Outlines" not in root:
        yield "no bookmarks"
    for number, page in enumerate(pdf.pages, 1):
        if page.obj.get("/Tabs") != "/S":
            yield f"UA 7.18.3: page {number} has no tab order by structure"


def _metadata(pdf: pikepdf.Pdf) -> Iterator[str]:
    stream = pdf.Root.Metadata
    if "/Filter" in stream:
        yield "XMP is compressed"
    root = ElementTree.fromstring(stream.read_bytes())
    if len(list(root.iter(f"{RDF}RDF"))) != 1:
        yield "A 6.6.2: not one RDF in the XMP"
    properties: dict[str, str] = {}
    for description in root.iter(f"{RDF}Description"):
        properties |= description.attrib
        properties |= {child.tag: (child.text or "").strip() for child in description}
    if (properties.get(f"{A}part"), properties.get(f"{A}conformance")) != ("3", "A"):
        yield "A 6.6.4: not identified as PDF/A-3a"
    if properties.get(f"{UA}part") != "1":
        yield "UA 5: not identified as PDF/UA-1"
    declared = [
        (schema.findtext(f"{SCHEMA}prefix"), name.text)
        for schema in root.iter()
        if schema.find(f"{SCHEMA}prefix") is not None
        for name in schema.iter(f"{PROPERTY}name")
    ]
    if ("pdfuaid", "part") not in declared:
        yield "A 6.6.2.3: pdfuaid is used and not declared"
    titles = [
        element.text
        for element in root.iter("{http://purl.org/dc/elements/1.1/}title")
        for element in element.iter()
    ]
    if str(pdf.docinfo.get("/Title")) not in titles:
        yield "UA 7.1: no title in XMP, or another"
    for info, tag in (("/CreationDate", "CreateDate"), ("/ModDate", "ModifyDate")):
        if info in pdf.docinfo:
            digits = "".join(
                char
                for char in properties.get(f"{{http://ns.adobe.com/xap/1.0/}}{tag}", "")
                if char.isdigit()
            )
            if digits not in str(pdf.docinfo[info]):
                yield f"{info} and XMP differ"


def _objects(pdf: pikepdf.Pdf) -> Iterator[str]:
    for node in pdf.objects:
        if isinstance(node, pikepdf.Stream):
            if "/LZWDecode" in str(node.get("/Filter")):
                yield "A 6.1.7: LZW"
            if node.get("/Subtype") == "/Image" and node.get("/Interpolate"):
                yield "A 6.2.8: interpolated picture"
            if node.get("/Subtype") == "/Image" and "/Alternates" in node:
                yield "A 6.2.8: alternate pictures"
            if node.get("/Subtype") == "/Form" and ("/PS" in node or "/Ref" in node):
                yield "A 6.2.9: PostScript or a reference"
        elif isinstance(node, pikepdf.Dictionary):
            if node.get("/S") in {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/Sound", "/Movie"}:
                yield f"A 6.5.1: action {node.S}"
            if node.get("/BM") is not None and node.BM not in {"/Normal", "/Compatible", "/Multiply"}:
                yield f"A 6.2.10: blend mode {node.BM}"
            if "/TR" in node and "/Type" in node and node.Type == "/ExtGState":
                yield "A 6.2.5: transfer function"


def _fonts(pdf: pikepdf.Pdf) -> Iterator[str]:
    for font in pdf.objects:
        if not isinstance(font, pikepdf.Dictionary) or font.get("/Type") != "/Font":
            continue
        name = str(font.get("/BaseFont"))
        if font.get("/Subtype") == "/Type0":
            if "/ToUnicode" not in font:
                yield f"A 6.2.11.7: {name} cannot be read as text"
            descriptor = font.DescendantFonts[0].FontDescriptor
            if not {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor.keys()):
                yield f"A 6.2.11.4: {name} is not embedded"
            if (
                font.DescendantFonts[0].Subtype == "/CIDFontType2"
                and "/CIDToGIDMap" not in font.DescendantFonts[0]
            ):
                yield f"A 6.2.11.3: {name} has no CIDToGIDMap"
        elif font.get("/Subtype") not in {"/CIDFontType0", "/CIDFontType2", "/Type3"}:
            yield f"A 6.2.11: {name} is a {font.get('/Subtype')}"


def _content(pdf: pikepdf.Pdf) -> Iterator[str]:
    """Every mark on every page is an artifact or belongs to one element of the tree (UA 7.1)."""
    root = pdf.Root.StructTreeRoot
    numbers = list(root.ParentTree.Nums)
    parents = {int(key): value for key, value in zip(numbers[::2], numbers[1::2], strict=True)}
    reachable = {entry.objgen for entry in elements(pdf)}
    owned = _owned(pdf)
    for number, page in enumerate(pdf.pages, 1):
        stack: list[str | int] = []
        seen: set[int] = set()
        for operands, operator in pikepdf.parse_content_stream(page):
            name = str(operator)
            if name in {"BMC", "BDC"}:
                kind: str | int = str(operands[0])
                if name == "BDC" and "/MCID" in operands[1]:
                    kind = int(operands[1].MCID)
                    seen.add(kind)
                if kind == "/Artifact" and any(isinstance(entry, int) for entry in stack):
                    yield f"UA 7.1: page {number}: an artifact inside tagged content"
                if isinstance(kind, int) and "/Artifact" in stack:
                    yield f"UA 7.1: page {number}: tagged content inside an artifact"
                stack.append(kind)
            elif name == "EMC":
                stack.pop()
            elif name in PAINTS and not any(
                isinstance(entry, int) or entry == "/Artifact" for entry in stack
            ):
                yield f"UA 7.1: page {number}: {name} is neither tagged nor an artifact"
            elif name in {"Tj", "TJ"} and b"\x00\x00" in _shown(operands):
                yield f"A 6.2.11.8: page {number}: a glyph no font holds"
        if stack:
            yield f"page {number}: marked content is not closed"
        own = parents[int(page.obj.StructParents)]
        for mcid in seen:
            element = own[mcid]
            if element is None or element.objgen not in reachable:
                yield f"UA 7.1: page {number}: content {mcid} belongs to no element"
            elif (page.obj.objgen, mcid) not in owned:
                yield f"page {number}: content {mcid} is claimed by no element"


def _owned(pdf: pikepdf.Pdf) -> set[tuple[tuple[int, int], int]]:
    pairs = set()
    for element in elements(pdf):
        kids = element.get("/K", [])
        for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
            if isinstance(kid, int):
                pairs.add((element.Pg.objgen, kid))
    return pairs


def _shown(operands: Any) -> bytes:
    """Glyphs of two bytes as one string, each pair aligned."""
    given = operands[0] if isinstance(operands[0], pikepdf.Array) else [operands[0]]
    pairs = []
    for operand in given:
        if isinstance(operand, pikepdf.String):
            data = bytes(operand)
            pairs += [data[i : i + 2] for i in range(0, len(data), 2)]
    return b"\x00\x00" if b"\x00\x00" in pairs else b""


def _tree(pdf: pikepdf.Pdf) -> Iterator[str]:
    last = 0
    for element in elements(pdf):
        kind, parent = str(element.S), element.P
        if kind == "/Figure" and not str(element.get("/Alt", "")).strip():
            yield "UA 7.3: a figure without alternate text"
        if kind == "/Figure" and not _inside(element):
            yield "A figure's box is not on its page"
        if kind in HEADINGS:
            level = HEADINGS.index(kind) + 1
            if level > last + 1:
                yield f"UA 7.4.2: {kind} follows level {last}"
            last = level
        if kind == "/LI" and parent.S != "/L":
            yield "UA 7.2: a list item outside a list"
        if kind in {"/Lbl", "/LBody"} and parent.S != "/LI":
            yield f"UA 7.2: {kind} outside a list item"
        if kind == "/L" and any(str(kid.S) not in {"/LI", "/L", "/Caption"} for kid in _kids(element)):
            yield "UA 7.2: a list holds something else"
    if not last:
        yield "UA 7.4: no headings"


def _inside(figure: Any) -> bool:
    left, bottom, right, top = (float(value) for value in figure.A.BBox)
    _, _, width, height = (float(value) for value in figure.Pg.MediaBox)
    return -1 <= left < right <= width + 1 and -1 <= bottom < top <= height + 1


def _kids(element: Any) -> list[Any]:
    kids = element.get("/K", [])
    return [
        kid
        for kid in (kids if isinstance(kids, pikepdf.Array) else [kids])
        if hasattr(kid, "get") and "/S" in kid
    ]


def _tables(pdf: pikepdf.Pdf) -> Iterator[str]:
    for table in (element for element in elements(pdf) if element.S == "/Table"):
        rows = [
            row
            for child in _kids(table)
            for row in ([child] if child.S == "/TR" else _kids(child) if child.S != "/Caption" else [])
        ]
        if any(row.S != "/TR" for row in rows) or not rows:
            yield "UA 7.2: a table holds something else than rows"
            continue
        wide = {sum(int(cell.get("/A", {}).get("/ColSpan", 1)) for cell in _kids(row)) for row in rows}
        if len(wide) != 1:
            yield f"UA 7.2: a table's rows have {sorted(wide)} cells"
        for row in rows:
            for cell in _kids(row):
                if cell.S not in {"/TH", "/TD"}:
                    yield f"UA 7.2: {cell.S} in a row"
                if cell.S == "/TH" and cell.A.get("/Scope") not in {"/Row", "/Column"}:
                    yield "UA 7.5: a header cell without scope"


def _annotations(pdf: pikepdf.Pdf) -> Iterator[str]:
    linked = {
        kid.Obj.objgen
        for node in elements(pdf)
        if node.S == "/Link"
        for kid in node.K
        if isinstance(kid, pikepdf.Dictionary) and kid.get("/Type") == "/OBJR"
    }
    for page in pdf.pages:
        for node in page.obj.get("/Annots", []):
            if node.Subtype != "/Link":
                yield f"an annotation {node.Subtype}"
            if not str(node.get("/Contents", "")).strip():
                yield "UA 7.18.5: a link without a description"
            if node.objgen not in linked:
                yield "UA 7.18.5: a link outside the tree"
            if int(node.get("/F", 0)) & 0b100110 != 0b100:
                yield "A 6.3.2: a link that is not printed"


def _attachments(pdf: pikepdf.Pdf) -> Iterator[str]:
    names = pdf.Root.get("/Names", pikepdf.Dictionary()).get("/EmbeddedFiles")
    listed = list(names.Names[1::2]) if names is not None else []
    associated = [attachment.objgen for attachment in pdf.Root.get("/AF", [])]
    if len(associated) != len(set(associated)) or set(associated) != {
        attachment.objgen for attachment in listed
    }:
        yield "A 6.8: associated files are not the embedded ones, each once"
    for attachment in listed:
        if attachment.get("/AFRelationship") not in {
            "/Source",
            "/Data",
            "/Alternative",
            "/Supplement",
            "/Unspecified",
        }:
            yield "A 6.8: no relationship"
        if "/UF" not in attachment or "/F" not in attachment or "/Desc" not in attachment:
            yield "A 6.8: no name or description"
        if "/Subtype" not in attachment.EF.F or "/ModDate" not in attachment.EF.F.Params:
            yield "A 6.8: no MIME type or date"
