"""What a file itself says of its making, from all places where files say such things.

Everything may have been written by anybody, or removed: it is shown beside the verdict and never enters
it. docs/exhibit.md lists the sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detector.media.exhibit.text import clean
from detector.metadata.declared import known_programs
from detector.metadata.declared.c2pa import Claim, IngredientRole
from detector.metadata.declared.generation_texts import recognised
from detector.metadata.declared.source_types import source_type
from detector.metadata.formats.texts import EmbeddedText
from detector.metadata.formats.thumbnail import LEAST_LIKENESS, MOST_DIFFERENCE
from detector.schema.declarations import (
    LONGEST_DECLARED,
    MOST_DECLARATIONS,
    Declaration,
    DeclarationKind,
    Meaning,
)
from detector.schema.metadata import Credentials, Photo, Table, Thumbnail
from detector.schema.translatable import N_

_ORDER = (
    Meaning.GENERATED,
    Meaning.COMPOSITE_WITH_GENERATED,
    Meaning.INCONSISTENT,
    Meaning.COMPOSITE,
    Meaning.EDITED,
    Meaning.SCREEN_CAPTURE,
    Meaning.CREATED,
    Meaning.CAPTURED,
    Meaning.UNKNOWN,
)
# C2PA 2.x, actions that change what is seen.
_CHANGES = frozenset(
    f"c2pa.{name}"
    for name in (
        "adjustedColor", "changedSpeed", "color_adjustments", "cropped", "deleted", "drawing", "dubbed",
        "edited", "enhanced", "filtered", "mixed", "orientation", "placed", "remixed", "removed", "resized",
        "translated", "trimmed",
    )
)  # fmt: skip
_CAMERAS = (
    ("Make", "Model"),
    ("com.apple.quicktime.make", "com.apple.quicktime.model"),
    ("com.android.manufacturer", "com.android.model"),
    ("make", "model"),
)

_GENERATORS = tuple(dict.fromkeys((*known_programs.GENERATORS, *known_programs.GENERATORS_AS_MAKERS)))
_MAKES = frozenset(make for make, _ in _CAMERAS)


def declarations_of(
    texts: Iterable[EmbeddedText], photo: Photo | None, credentials: Credentials, claims: Iterable[Claim]
) -> tuple[Declaration, ...]:
    """All declarations, most telling first; what says the same of the same program is one."""
    texts = list(texts)
    found = [*_of_claims(claims, credentials), *_of_texts(texts), *_cameras(texts)]
    if photo is not None:
        found += [*_thumbnail(photo.thumbnail), *_tables(photo.tables)]
    merged: dict[tuple[object, ...], Declaration] = {}
    for each in found:
        key = each.kind, each.meaning, each.program or each.says
        first = merged.setdefault(key, each)
        if each.source not in first.source:
            source = clean(f"{first.source}; {each.source}", LONGEST_DECLARED)
            merged[key] = first.model_copy(update={"source": source})
    return tuple(sorted(merged.values(), key=_rank)[:MOST_DECLARATIONS])


def _rank(each: Declaration) -> tuple[int, bool]:
    """Most telling first; a program's name alone after what says outright how the picture was made."""
    return _ORDER.index(each.meaning), each.kind is DeclarationKind.SOFTWARE


def _declared(
    kind: DeclarationKind, source: str, says: str, means: str, meaning: Meaning, program: str | None = None
) -> Declaration:
    return Declaration(
        kind=kind,
        source=clean(source, LONGEST_DECLARED),
        says=clean(says, LONGEST_DECLARED),
        means=clean(means, LONGEST_DECLARED),
        program=clean(program, LONGEST_DECLARED) if program else None,
        meaning=meaning,
    )


def _of_texts(texts: list[EmbeddedText]) -> Iterator[Declaration]:
    for text in texts:
        source = f"{text.place}, {text.name}"
        if text.name.lower() == "digitalsourcetype":
            code, meaning, words = source_type(text.value)
            told = N_("IPTC digital source type %(code)s: %(words)s.") % {"code": code, "words": words}
            yield _declared(DeclarationKind.DIGITAL_SOURCE_TYPE, source, text.value, told, meaning)
        elif found := recognised(text, texts):
            yield _declared(found.kind, source, text.value, found.means, found.meaning, found.program)
        elif text.name == "UserComment" and text.value == "Screenshot":
            told = N_("A phone says that it took this picture of its own screen.")
            kind, meaning = DeclarationKind.SOFTWARE, Meaning.SCREEN_CAPTURE
            yield _declared(kind, source, text.value, told, meaning)
        elif (
            known_programs.is_about_making(text.name) or text.name == "Source" or _is_made_by_generator(text)
        ):
            yield from _software(text, source)


def _is_made_by_generator(text: EmbeddedText) -> bool:
    """Whether a generator stands where a camera's maker belongs."""
    makers = known_programs.GENERATORS_AS_MAKERS
    return text.name in _MAKES and known_programs.name_in(text.value, makers) is not None


def _software(text: EmbeddedText, source: str) -> Iterator[Declaration]:
    value = text.value[:1000]
    kind = DeclarationKind.SOFTWARE
    if name := known_programs.name_in(value, known_programs.FACE_SWAPPERS):
        told = N_("A program that puts other faces into pictures is named as having made or saved this file.")
        yield _declared(kind, source, value, told, Meaning.COMPOSITE_WITH_GENERATED, name)
    elif name := known_programs.name_in(value, _GENERATORS):
        told = N_(
            "A program that generates pictures is named as having made or saved this file; "
            "some of them also retouch or enlarge."
        )
        yield _declared(kind, source, value, told, Meaning.GENERATED, name)
    elif name := known_programs.name_in(value, known_programs.EDITORS):
        told = N_(
            "A program that can change pictures made or saved this file. Developing, "
            "titles or only exporting leave the same name."
        )
        yield _declared(kind, source, value, told, Meaning.EDITED, name)
    elif name := known_programs.name_in(value, known_programs.RECORDERS):
        told = N_("A program that records screens is named; it may have saved camera pictures, too.")
        yield _declared(kind, source, value, told, Meaning.SCREEN_CAPTURE, name)


def _cameras(texts: list[EmbeddedText]) -> Iterator[Declaration]:
    by_place: dict[str, dict[str, str]] = {}
    for text in texts:
        by_place.setdefault(text.place, {}).setdefault(text.name, text.value)
    for place, named in by_place.items():
        for make, model in _CAMERAS:
            # ComfyUI keeps its graph in these tags of WebP files.
            values = [named[name] for name in (make, model) if name in named and "{" not in named[name]]
            by_generator = make in named and _is_made_by_generator(EmbeddedText(place, make, named[make]))
            if model in named and values and not by_generator:
                told = N_("A camera or phone is named as having recorded the picture.")
                device = values[-1] if values[-1].startswith(values[0]) else " ".join(values)
                tags = " and ".join(name for name in (make, model) if name in named)
                source = f"{place}, {tags}"
                yield _declared(DeclarationKind.CAMERA, source, device, told, Meaning.CAPTURED, device)


def _of_claims(claims: Iterable[Claim], credentials: Credentials) -> Iterator[Declaration]:
    standing = _standing(credentials)
    where = {
        IngredientRole.OWN: N_("Content Credentials"),
        IngredientRole.PARENT: N_("Content Credentials of the picture it was made from"),
        IngredientRole.COMPONENT: N_("Content Credentials of a part of it"),
    }
    for claim in claims:
        source = f"{where[claim.role]}, {claim.action}"
        program = claim.agent or claim.generator
        if claim.source_type:
            code, meaning, words = source_type(claim.source_type)
            if claim.role is IngredientRole.COMPONENT and meaning is Meaning.GENERATED:
                meaning = Meaning.COMPOSITE_WITH_GENERATED
            says = ", ".join(part for part in (claim.action, claim.agent, code) if part)
            told = N_("Digital source type %(code)s: %(words)s. %(standing)s") % {
                "code": code,
                "words": words,
                "standing": standing,
            }
        elif claim.action in _CHANGES:
            meaning, says = Meaning.EDITED, ", ".join(p for p in (claim.action, claim.agent) if p)
            told = N_("The picture was changed: %(changes)s. %(standing)s") % {
                "changes": claim.action.removeprefix("c2pa."),
                "standing": standing,
            }
        elif claim.role is IngredientRole.OWN and program and _is_generator(program):
            meaning, says = Meaning.GENERATED, f"{claim.action}, {program}"
            told = N_("A program that generates pictures is named as having made it. %(standing)s") % {
                "standing": standing
            }
        else:
            continue
        yield _declared(DeclarationKind.CONTENT_CREDENTIALS, source, says, told, meaning, program)


def _is_generator(program: str) -> bool:
    return known_programs.name_in(program, known_programs.GENERATORS) is not None


def _standing(credentials: Credentials) -> str:
    if not credentials.valid:
        return N_("The signature or a hash does NOT hold.")
    if credentials.trusted:
        return N_("The signature holds, and the signer is on a trust list.")
    return N_("The signature holds; the signer is on no trust list.")


def _thumbnail(thumb: Thumbnail | None) -> Iterator[Declaration]:
    if thumb is None or thumb.correlation is None:
        return
    size = f"{thumb.width} × {thumb.height} px"
    if thumb.cropped is not None:
        says = N_("%(size)s; the picture is %(cropped)s of its area") % {
            "size": size,
            "cropped": f"{thumb.cropped:.0%}",
        }
        told = N_("The picture was cropped after the small one was made, and shows only a part of it.")
    elif thumb.correlation < LEAST_LIKENESS:
        says = N_("%(size)s; correlation %(correlation)s, alike from %(least_likeness)s") % {
            "size": size,
            "correlation": f"{thumb.correlation:.2f}",
            "least_likeness": f"{LEAST_LIKENESS:g}",
        }
        told = N_("The small picture shows something else: the picture was changed or replaced later.")
    elif thumb.difference is not None and thumb.difference > MOST_DIFFERENCE:
        differs = N_("%(difference)s of its contrast") % {"difference": f"{thumb.difference:.2f}"}
        says = N_("%(size)s; a part differs by %(differs)s, alike up to %(most_difference)s") % {
            "size": size,
            "differs": differs,
            "most_difference": f"{MOST_DIFFERENCE:g}",
        }
        told = N_(
            "A part of the picture differs from the small one, which was made before. "
            "Shading and filters do this, too."
        )
    else:
        return
    source = N_("EXIF, thumbnail")
    yield _declared(DeclarationKind.THUMBNAIL, source, says, told, Meaning.INCONSISTENT)


def _tables(tables: tuple[Table, ...]) -> Iterator[Declaration]:
    if not tables:
        return
    if all(table.exact for table in tables):
        qualities = list(dict.fromkeys(table.quality for table in tables))
        quality = " and ".join(map(str, qualities))
        told = N_(
            "Last compressed with the standard tables of the Independent JPEG Group, which "
            "most programs, messengers and web sites use; many cameras and some editors "
            "have tables of their own."
        )
        says, program = (
            N_("standard tables, quality %(quality)s") % {"quality": quality},
            N_("libjpeg or a program that uses its tables"),
        )
    else:
        says, program = (
            N_("tables of its own; the nearest standard ones have quality %(quality)s")
            % {"quality": tables[0].quality},
            None,
        )
        told = N_(
            "Whose tables these are is not known. Most cameras and some editors have tables of their own."
        )
    kind = DeclarationKind.QUANTIZATION_TABLES
    yield _declared(kind, N_("JPEG, tables"), says, told, Meaning.UNKNOWN, program)
