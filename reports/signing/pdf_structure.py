"""The place of a form field in the structure tree of a tagged PDF (ISO 32000-1, 14.7), as PDF/UA asks."""

from __future__ import annotations

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter


def tag_field(writer: IncrementalPdfFileWriter, page_number: int, words: str) -> None:
    """Give the last annotation of a page, from 0, a form element at the tree's end, read out as ``words``.

    Does nothing to a PDF without tags.
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
    """Put an element behind those of the structure element ``parent``, whose ``/K`` may be a single one."""
    below = parent.get("/K", generic.ArrayObject())
    if isinstance(below, generic.ArrayObject):
        kids = [below.raw_get(index) for index in range(len(below))]  # references stay references
    else:
        kids = [parent.raw_get("/K")]
    parent[pdf_name("/K")] = generic.ArrayObject([*kids, kid])


def _append_parent(tree: generic.DictionaryObject, element: generic.IndirectObject) -> generic.NumberObject:
    """Enter the element that an annotation belongs to into the tree of parents, under a key of its own."""
    entries = tree["/ParentTree"]["/Nums"]  # key and value by turns
    key = 1 + max((int(entries[i]) for i in range(0, len(entries), 2)), default=-1)
    entries.append(generic.NumberObject(key))
    entries.append(element)
    tree[pdf_name("/ParentTreeNextKey")] = generic.NumberObject(key + 1)
    return generic.NumberObject(key)
