"""Collect what a file declares about how it was made.

Anybody may have written it, so it never affects the verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from detector.media.acceptance import HEAD_BYTES, container_of
from detector.metadata import generators
from detector.metadata.c2pa import Claim, IngredientRole, read_store
from detector.metadata.embedded_pictures import LEAST_LIKENESS, MOST_DIFFERENCE
from detector.metadata.embedded_text import EmbeddedText
from detector.metadata.generators import recognise_generator
from detector.metadata.photo import PhotoFacts, read_photo
from detector.metadata.unreadable import MetadataReaders
from detector.schema.causes.cause import Cause
from detector.schema.causes.declarations import (
    DeclarationCode,
    MeasureCode,
    SignatureCode,
    SourceTypeCode,
)
from detector.schema.formatting import N_
from detector.schema.metadata import (
    LONGEST_DECLARED,
    MOST_DECLARATIONS,
    Credentials,
    Declaration,
    DeclarationKind,
    HiddenMark,
    HiddenPlace,
    Meaning,
    Photo,
    Table,
    Thumbnail,
    clean_text,
)

# By the codes of IPTC's vocabulary.
_TYPES = {
    "trainedAlgorithmicMedia": (Meaning.GENERATED, SourceTypeCode.TRAINED_ALGORITHMIC_MEDIA),
    "compositeWithTrainedAlgorithmicMedia": (
        Meaning.COMPOSITE_WITH_GENERATED,
        SourceTypeCode.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA,
    ),
    "compositeSynthetic": (Meaning.COMPOSITE_WITH_GENERATED, SourceTypeCode.COMPOSITE_SYNTHETIC),
    "algorithmicMedia": (Meaning.GENERATED, SourceTypeCode.ALGORITHMIC_MEDIA),
    "trainedAlgorithmicData": (Meaning.GENERATED, SourceTypeCode.TRAINED_ALGORITHMIC_DATA),
    "composite": (Meaning.COMPOSITE, SourceTypeCode.COMPOSITE),
    "compositeCapture": (Meaning.COMPOSITE, SourceTypeCode.COMPOSITE_CAPTURE),
    "virtualRecording": (Meaning.UNKNOWN, SourceTypeCode.VIRTUAL_RECORDING),
    "humanEdits": (Meaning.EDITED, SourceTypeCode.HUMAN_EDITS),
    "minorHumanEdits": (Meaning.EDITED, SourceTypeCode.MINOR_HUMAN_EDITS),
    "algorithmicallyEnhanced": (Meaning.EDITED, SourceTypeCode.ALGORITHMICALLY_ENHANCED),
    "digitalCreation": (Meaning.CREATED, SourceTypeCode.DIGITAL_CREATION),
    "digitalArt": (Meaning.CREATED, SourceTypeCode.DIGITAL_CREATION),
    "softwareImage": (Meaning.CREATED, SourceTypeCode.SOFTWARE_IMAGE),
    "dataDrivenMedia": (Meaning.CREATED, SourceTypeCode.DATA_DRIVEN_MEDIA),
    "screenCapture": (Meaning.SCREEN_CAPTURE, SourceTypeCode.SCREEN_CAPTURE),
    "digitalCapture": (Meaning.CAPTURED, SourceTypeCode.DIGITAL_CAPTURE),
    "computationalCapture": (Meaning.CAPTURED, SourceTypeCode.COMPUTATIONAL_CAPTURE),
    "negativeFilm": (Meaning.CAPTURED, SourceTypeCode.NEGATIVE_FILM),
    "positiveFilm": (Meaning.CAPTURED, SourceTypeCode.POSITIVE_FILM),
    "print": (Meaning.CAPTURED, SourceTypeCode.PRINT),
}
_BY_CODE = {code.lower(): (code, *entry) for code, entry in _TYPES.items()}


def source_type(written: str) -> tuple[str, Meaning, Cause]:
    """Return code, meaning and description of a type: an address, ``digsrctype:CODE`` or the bare code."""
    written = re.split(r"[/:#]", written.strip().rstrip("/"))[-1]
    unknown = written, Meaning.UNKNOWN, SourceTypeCode.UNKNOWN
    code, meaning, description = _BY_CODE.get(written.lower(), unknown)
    return code, meaning, description.cause()


# Most telling first.
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

_GENERATORS = tuple(dict.fromkeys((*generators.GENERATORS, *generators.GENERATORS_AS_MAKERS)))
_MAKES = frozenset(make for make, _ in _CAMERAS)


def collect_declarations(
    texts: Iterable[EmbeddedText],
    photo: Photo | None,
    credentials: Credentials,
    claims: Iterable[Claim],
    marks: Iterable[Declaration] = (),
) -> tuple[Declaration, ...]:
    """Return all declarations, most telling first; equal ones about one program are merged.

    ``marks`` are those read from pixels and sound.
    """
    texts = list(texts)
    declarations = [*marks, *_declare_claims(claims, credentials), *_declare_texts(texts)]
    declarations += _declare_cameras(texts)
    if photo is not None:
        declarations += [*_declare_thumbnail(photo.thumbnail), *_declare_tables(photo.tables)]
    merged: dict[tuple[object, ...], Declaration] = {}
    for declaration in declarations:
        key = declaration.kind, declaration.meaning, declaration.program or declaration.says
        first = merged.setdefault(key, declaration)
        if declaration.source not in first.source:
            source = clean_text(f"{first.source}; {declaration.source}", LONGEST_DECLARED)
            hidden = first.hidden or declaration.hidden
            merged[key] = first.model_copy(update={"source": source, "hidden": hidden})
    # The bare name of a program comes after explicit statements about how the picture was made.
    ranked = sorted(
        merged.values(), key=lambda d: (_ORDER.index(d.meaning), d.kind is DeclarationKind.SOFTWARE)
    )
    return tuple(ranked[:MOST_DECLARATIONS])


def _declared(
    kind: DeclarationKind,
    source: str,
    says: str | Cause,
    cause: Cause,
    meaning: Meaning,
    program: str | None = None,
) -> Declaration:
    measure = says if isinstance(says, Cause) else None
    return Declaration(
        kind=kind,
        source=clean_text(source, LONGEST_DECLARED),
        says=clean_text(measure.text if measure else says, LONGEST_DECLARED),
        means=clean_text(cause.text, LONGEST_DECLARED),
        program=clean_text(program, LONGEST_DECLARED) if program else None,
        meaning=meaning,
        cause=cause,
        measure=measure,
    )


def _declare_texts(texts: list[EmbeddedText]) -> Iterator[Declaration]:
    for text in texts:
        for declaration in _declare_text(text, texts):
            if text.is_hidden:
                hidden = HiddenMark(place=HiddenPlace.LOWEST_BITS)
                declaration = declaration.model_copy(update={"hidden": hidden})
            yield declaration


def _declare_text(text: EmbeddedText, texts: list[EmbeddedText]) -> Iterator[Declaration]:
    source = f"{text.place}, {text.name}"
    if text.name.lower() == "digitalsourcetype":
        code, meaning, description = source_type(text.value)
        cause = DeclarationCode.IPTC_SOURCE_TYPE.cause(source_code=code, source_type=(description,))
        yield _declared(DeclarationKind.DIGITAL_SOURCE_TYPE, source, text.value, cause, meaning)
    elif mark := recognise_generator(text, texts):
        yield _declared(mark.kind, source, text.value, mark.code.cause(), mark.meaning, mark.program)
    elif text.name == "UserComment" and text.value == "Screenshot":
        cause = DeclarationCode.PHONE_SCREENSHOT.cause()
        yield _declared(DeclarationKind.SOFTWARE, source, text.value, cause, Meaning.SCREEN_CAPTURE)
    elif text.is_hidden and text.name == "parameters":
        cause = DeclarationCode.HIDDEN_SETTINGS.cause()
        yield _declared(DeclarationKind.GENERATION_PARAMETERS, source, text.value, cause, Meaning.UNKNOWN)
    elif generators.is_about_making(text.name) or text.name == "Source" or _is_made_by_generator(text):
        yield from _declare_software(text, source)


def _is_made_by_generator(text: EmbeddedText) -> bool:
    """Return whether the tag of a camera's maker names a generator."""
    makers = generators.GENERATORS_AS_MAKERS
    return text.name in _MAKES and generators.find_name(text.value, makers) is not None


_NAMED = (
    (generators.FACE_SWAPPERS, DeclarationCode.FACE_SWAPPER_NAMED, Meaning.COMPOSITE_WITH_GENERATED),
    (_GENERATORS, DeclarationCode.GENERATOR_NAMED, Meaning.GENERATED),
    (generators.EDITORS, DeclarationCode.EDITOR_NAMED, Meaning.EDITED),
    (generators.RECORDERS, DeclarationCode.RECORDER_NAMED, Meaning.SCREEN_CAPTURE),
)


def _declare_software(text: EmbeddedText, source: str) -> Iterator[Declaration]:
    value = text.value[:1000]
    for programs, code, meaning in _NAMED:
        if name := generators.find_name(value, programs):
            yield _declared(DeclarationKind.SOFTWARE, source, value, code.cause(), meaning, name)
            return


def _declare_cameras(texts: list[EmbeddedText]) -> Iterator[Declaration]:
    by_place: dict[str, dict[str, str]] = {}
    for text in texts:
        by_place.setdefault(text.place, {}).setdefault(text.name, text.value)
    for place, named in by_place.items():
        for make, model in _CAMERAS:
            # In WebP files ComfyUI stores its graph in these tags.
            values = [named[name] for name in (make, model) if name in named and "{" not in named[name]]
            by_generator = make in named and _is_made_by_generator(EmbeddedText(place, make, named[make]))
            if model in named and values and not by_generator:
                cause = DeclarationCode.CAMERA_NAMED.cause()
                device = values[-1] if values[-1].startswith(values[0]) else " ".join(values)
                tags = " and ".join(name for name in (make, model) if name in named)
                source = f"{place}, {tags}"
                yield _declared(DeclarationKind.CAMERA, source, device, cause, Meaning.CAPTURED, device)


def _declare_claims(claims: Iterable[Claim], credentials: Credentials) -> Iterator[Declaration]:
    signature = (_signature(credentials).cause(),)
    where = {
        IngredientRole.OWN: N_("Content Credentials"),
        IngredientRole.PARENT: N_("Content Credentials of the picture it was made from"),
        IngredientRole.COMPONENT: N_("Content Credentials of a part of it"),
    }
    for claim in claims:
        source = f"{where[claim.role]}, {claim.action}"
        program = claim.agent or claim.generator
        if claim.source_type:
            code, meaning, description = source_type(claim.source_type)
            if claim.role is IngredientRole.COMPONENT and meaning is Meaning.GENERATED:
                meaning = Meaning.COMPOSITE_WITH_GENERATED
            says = ", ".join(part for part in (claim.action, claim.agent, code) if part)
            cause = DeclarationCode.CREDENTIALS_SOURCE_TYPE.cause(
                source_code=code, source_type=(description,), signature=signature
            )
        elif claim.action in _CHANGES:
            meaning, says = Meaning.EDITED, ", ".join(p for p in (claim.action, claim.agent) if p)
            action = claim.action.removeprefix("c2pa.")
            cause = DeclarationCode.CREDENTIALS_CHANGE.cause(action=action, signature=signature)
        elif (
            claim.role is IngredientRole.OWN
            and program
            and generators.find_name(program, generators.GENERATORS) is not None
        ):
            meaning, says = Meaning.GENERATED, f"{claim.action}, {program}"
            cause = DeclarationCode.CREDENTIALS_GENERATOR.cause(signature=signature)
        else:
            continue
        yield _declared(DeclarationKind.CONTENT_CREDENTIALS, source, says, cause, meaning, program)


def _signature(credentials: Credentials) -> SignatureCode:
    if not credentials.valid:
        return SignatureCode.SIGNATURE_BROKEN
    return SignatureCode.SIGNER_TRUSTED if credentials.trusted else SignatureCode.SIGNER_NOT_LISTED


def _declare_thumbnail(thumb: Thumbnail | None) -> Iterator[Declaration]:
    if thumb is None or thumb.correlation is None:
        return
    size = {"width": thumb.width, "height": thumb.height}
    if thumb.cropped is not None:
        measure = MeasureCode.THUMBNAIL_AREA.cause(**size, area=thumb.cropped)
        code = DeclarationCode.CROPPED_AFTER_THUMBNAIL
    elif thumb.correlation < LEAST_LIKENESS:
        measure = MeasureCode.THUMBNAIL_CORRELATION.cause(
            **size, correlation=thumb.correlation, least_correlation=LEAST_LIKENESS
        )
        code = DeclarationCode.OTHER_THUMBNAIL
    elif thumb.difference is not None and thumb.difference > MOST_DIFFERENCE:
        measure = MeasureCode.THUMBNAIL_DIFFERENCE.cause(
            **size, difference=thumb.difference, most_difference=MOST_DIFFERENCE
        )
        code = DeclarationCode.PART_DIFFERS_FROM_THUMBNAIL
    else:
        return
    source = N_("EXIF, thumbnail")
    yield _declared(DeclarationKind.THUMBNAIL, source, measure, code.cause(), Meaning.INCONSISTENT)


def _declare_tables(tables: tuple[Table, ...]) -> Iterator[Declaration]:
    if not tables:
        return
    if all(table.exact for table in tables):
        qualities = tuple(dict.fromkeys(table.quality for table in tables))
        measure = MeasureCode.TABLES_OF_QUALITY.cause(qualities=qualities)
        code, program = DeclarationCode.STANDARD_TABLES, N_("libjpeg or a program that uses its tables")
    else:
        measure = MeasureCode.TABLES_NEAR_QUALITY.cause(qualities=(tables[0].quality,))
        code, program = DeclarationCode.OWN_TABLES, None
    kind, source = DeclarationKind.QUANTIZATION_TABLES, N_("JPEG, tables")
    yield _declared(kind, source, measure, code.cause(), Meaning.UNKNOWN, program)


def photo_declarations(file: BinaryIO) -> tuple[Declaration, ...]:
    """Return all declarations of an open photo file; none for other files."""
    file.seek(0)
    container = container_of(file.read(HEAD_BYTES))
    if container is None or not container.is_photo:
        return ()
    demuxer, readers = container.demuxers[0], MetadataReaders()
    facts = readers.read("photo", lambda: read_photo(file, readers), PhotoFacts())
    unread: tuple[Credentials, tuple[Claim, ...]] = Credentials(checked=False), ()
    credentials, claims = readers.read("C2PA", lambda: read_store(file, demuxer), unread)
    return readers.read(
        "declarations", lambda: collect_declarations(facts.texts, facts.photo, credentials, claims), ()
    )
