"""What lies behind a report: nothing but signatures may have been added to it.

An incremental update (ISO 32000-1, 7.5.6) leaves every byte before it as it was and can change all that is
shown. So each object of the report as it was made is compared with what it is in the whole file.
"""

from __future__ import annotations

import io
from typing import Any

import pikepdf

# What a signature changes beside the lists that grow by it: the form it is a field of, what allows for it in
# the document, and the tags of its field.
_OF_FORM = {"/DA", "/DR", "/SigFlags"}
_FREE = {"/DSS", "/Extensions", "/Metadata", "/ParentTreeNextKey", "/Perms", "/Tabs", "/Version", *_OF_FORM}
_GROWING = {"/Annots", "/Fields", "/K", "/Nums"}
_KINDS = (pikepdf.Stream, pikepdf.Dictionary, pikepdf.Array)


def only_signatures_added(report: bytes, whole: bytes) -> bool:
    """Whether ``whole``, which begins with ``report``, shows and encloses the same, but for signatures.

    Raises what pikepdf does for a damaged file.
    """
    with pikepdf.open(io.BytesIO(report)) as before, pikepdf.open(io.BytesIO(whole)) as after:
        if before.Root.objgen != after.Root.objgen:
            return False
        # Of the time of the last change; other programs write it, into the metadata too.
        dated = {int(each.trailer["/Info"].objgen[0]) for each in (before, after) if "/Info" in each.trailer}
        return all(
            number in dated or _fits(before.get_object(number, 0), after.get_object(number, 0))
            for number in range(1, int(before.trailer["/Size"]))
        )


def _fits(old: Any, new: Any) -> bool:
    """Whether one object is what it was, or what a signature makes of it."""
    if any(isinstance(old, kind) != isinstance(new, kind) for kind in _KINDS):
        return False
    if isinstance(old, pikepdf.Stream):
        same = _entries(old) == _entries(new) and old.read_raw_bytes() == new.read_raw_bytes()
        return same or old.get("/Type") == new.get("/Type") == "/Metadata"
    if isinstance(old, pikepdf.Array):
        return _grew(old, new)
    if not isinstance(old, pikepdf.Dictionary):
        return _written(old) == _written(new)
    if _is_signature(old) and "/V" not in old:  # a field that waited for it
        return _is_signature(new)
    there, here = _entries(old), _entries(new)
    changed = {key for key in there.keys() | here.keys() if there.get(key) != here.get(key)}
    return all(_may_change(key, old.get(key), new.get(key)) for key in changed)


def _may_change(key: str, old: Any, new: Any) -> bool:
    if key == "/AcroForm":
        return _fits(pikepdf.Dictionary(Fields=[]) if old is None else old, new)
    return key in _FREE or (key in _GROWING and _grew(old, new))


def _grew(old: Any, new: Any) -> bool:
    """Whether a list holds what it did and then what is of a signature; one element may stand for a list."""
    there, here = _items(old), _items(new)
    same = [_written(each) for each in there] == [_written(each) for each in here[: len(there)]]
    return same and all(map(_of_signature, here[len(there) :]))


def _of_signature(element: Any) -> bool:
    """Whether it is a signature, or of the tree of tags."""
    if not isinstance(element, pikepdf.Dictionary):
        return isinstance(element, int)
    return element.get("/Type") == "/StructElem" or _is_signature(element)


def _is_signature(field: Any) -> bool:
    kind = field.get("/FT") or field.get("/Parent", {}).get("/FT")
    return bool(kind == "/Sig" and field.get("/Subtype") in (None, "/Widget"))


def _items(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, pikepdf.Array) else [value]


def _entries(value: Any) -> dict[str, object]:
    return {key: _written(each) for key, each in value.items()}


def _written(value: Any) -> object:
    """Something as it is written; what is referred to as a reference."""
    return value.unparse() if isinstance(value, pikepdf.Object) else value
