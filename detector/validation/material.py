"""Read the labelled material of a validation: a folder with ``real`` and ``manipulated``, or a CSV file.

Faces and voices are labelled independently of each other.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from detector.batch.input_files import is_exhibit, is_recording
from detector.errors import ParameterError
from detector.files import hash_file
from detector.schema.causes.cause import Cause
from detector.schema.causes.validations import MaterialCode
from detector.schema.formatting import N_, printable_name

_LABELS = {
    "real": False,
    "unmanipulated": False,
    "0": False,
    "fake": True,
    "manipulated": True,
    "1": True,
}
_VOICE_LABELS = {"human": False, "real": False, "synthetic": True, "fake": True}
_FOLDERS = {"real": False, "unmanipulated": False, "manipulated": True, "fake": True}
_ALIASES = {"path": "file", "source": "group", "skin tone": "skin_tone"}
ATTRIBUTES = {"skin_tone": "skin tone", "sex": "sex", "language": "language"}
_KNOWN = frozenset(
    {
        "file", "label", "generator", "group", "segments", "persons", "voice", "voice_generator",
        "voice_segments", *ATTRIBUTES,
    }
)  # fmt: skip
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)")
_NO_GENERATOR = frozenset({"", "none", "-"})
_SHOWN = 5  # maximum number of names in a message


class MaterialError(ParameterError):
    """The material cannot be used; the message says what to change."""


Spans = tuple[tuple[float, float], ...]
"""Labelled stretches in seconds."""


@dataclass(frozen=True)
class VoiceLabel:
    """The laboratory's labels of the voices in a file."""

    synthetic: bool
    generator: str | None = None
    truth: Spans | None = None


@dataclass(frozen=True)
class LabelledFile:
    """One file with the laboratory's labels, of its faces (``manipulated``), its voices or both."""

    name: str
    path: Path
    manipulated: bool | None
    group: str  # empty until given or assigned
    bytes: int = 0
    sha256: str = ""
    generator: str | None = None
    truth: Spans | None = None
    voice: VoiceLabel | None = None
    persons: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """All labelled files in order of their names, and remarks."""

    title: str
    files: tuple[LabelledFile, ...]
    labelled: tuple[str, ...]
    remarks: tuple[Cause, ...]

    @property
    def has_voices(self) -> bool:
        """Whether voices are labelled."""
        return any(file.voice is not None for file in self.files)

    @property
    def numbers(self) -> dict[str, int]:
        """A number for each group."""
        return {group: number for number, group in enumerate(sorted({file.group for file in self.files}))}


def read_material(data: Path) -> Material:
    """Read and hash the labelled files of ``data``.

    Raises :class:`MaterialError` for an invalid folder or CSV file, missing files, and material with a single
    label.
    """
    remarks: list[Cause] = []
    if data.is_dir():
        files = list(_of_folder(data))
    elif data.is_file() and data.suffix.lower() == ".csv":
        files = list(_of_table(data, remarks))
    else:
        raise MaterialError(
            f"{data}: there is no such folder or CSV. Name a folder with 'real' and 'manipulated' in it, or "
            "a CSV with the columns file,label."
        )
    return material_of(printable_name(data.stem or data.name), [_hashed(file) for file in files], remarks)


def material_of(title: str, files: Sequence[LabelledFile], remarks: Sequence[Cause] = ()) -> Material:
    """Build the material from hashed files.

    Raises :class:`MaterialError` if all faces or all voices have the same label, or if files with the same
    bytes have different ones.
    """
    faces = {file.manipulated for file in files if file.manipulated is not None}
    voices = {file.voice.synthetic for file in files if file.voice is not None}
    if not faces | voices:
        raise MaterialError(
            N_("Nothing is labelled. A validation needs unmanipulated and manipulated files.")
        )
    if len(faces) == 1:
        raise MaterialError(
            N_(
                "Everything labelled has one label only. A validation needs unmanipulated and manipulated "
                "files."
            )
        )
    if len(voices) == 1:
        raise MaterialError(
            N_(
                "All labelled voices have one label only. A validation of voices needs human and synthetic "
                "ones."
            )
        )
    all_remarks = list(remarks)
    distinct = _without_copies(files, all_remarks)
    return Material(title, _joined(_grouped(distinct)), _labelled(distinct), tuple(all_remarks))


def _of_folder(data: Path) -> Iterator[LabelledFile]:
    """Return the exhibits below folders named after a label; a subfolder names the generator.

    Of recordings of sound the voices are labelled, of videos and photos the faces.
    """
    for path in sorted(data.rglob("*")):
        place = PurePosixPath(path.relative_to(data).as_posix())
        if not path.is_file() or any(part.startswith(".") for part in place.parts):
            continue
        if not is_exhibit(path):
            continue
        at = [i for i, part in enumerate(place.parts[:-1]) if part.lower() in _FOLDERS]
        if len(at) != 1:
            raise MaterialError(
                f"{data}: {place} has no known label: it must lie below one folder 'real' or 'manipulated'."
            )
        manipulated = _FOLDERS[place.parts[at[0]].lower()]
        below = place.parts[at[0] + 1 : -1]
        generator = printable_name(below[0]) if below and manipulated else None
        name = printable_name(str(place))
        if is_recording(path):
            yield LabelledFile(name, path, None, "", voice=VoiceLabel(manipulated, generator))
        else:
            yield LabelledFile(name, path, manipulated, "", generator=generator)


def _of_table(table: Path, remarks: list[Cause]) -> Iterator[LabelledFile]:
    missing = []
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MaterialError(f"{table}: cannot be read as a CSV in UTF-8: {error}") from None
    for row in labelled_rows(text, str(table), remarks):
        placed = replace(row, path=table.parent / row.name)
        if not placed.path.is_file():
            missing.append(row.name)
        elif row.manipulated is not None and is_recording(placed.path):
            raise without_picture(row.name)
        yield placed
    if missing:
        names = ", ".join(missing[:_SHOWN]) + (f" and {len(missing) - _SHOWN} more" * (len(missing) > _SHOWN))
        raise MaterialError(f"{table}: {len(missing)} of its files are missing: {names}.")


def without_picture(name: str) -> MaterialError:
    """Return the error for a label of faces on a recording of sound."""
    return MaterialError(
        N_(
            "%(name)s is sound without picture: leave its label empty, and write human or synthetic in the "
            "column voice."
        )
        % {"name": name}
    )


def labelled_rows(
    text: str, where: str, remarks: list[Cause], *, empty_labels: bool = False
) -> Iterator[LabelledFile]:
    """Read the rows of a CSV file, with file names as paths; ``where`` names it in messages.

    With ``empty_labels``, rows without a label are skipped. Unknown columns become a remark. Raises
    :class:`MaterialError` for an invalid CSV file.
    """
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = reader.fieldnames or ()
        columns = {_ALIASES.get(name.strip().lower(), name.strip().lower()): name for name in names}
        if "file" not in columns or not columns.keys() & {"label", "voice"}:
            raise MaterialError(
                N_("%(where)s: the first line must name at least the columns file,label or file,voice.")
                % {"where": where}
            )
        if unknown := sorted(columns.keys() - _KNOWN):
            remarks.append(MaterialCode.COLUMNS_NOT_USED.cause(columns=tuple(unknown)))
        for row in reader:
            cells = {column: (row[name] or "").strip() for column, name in columns.items()}
            if cells.get("label") or cells.get("voice") or not empty_labels:
                yield _of_row(
                    cells, N_("%(where)s, line %(number)s") % {"where": where, "number": reader.line_num}
                )
    except csv.Error as error:
        raise MaterialError(
            N_("%(where)s: cannot be read as a CSV: %(error)s") % {"where": where, "error": error}
        ) from None


def _of_row(cells: dict[str, str], where: str) -> LabelledFile:
    label, voice = cells.get("label", ""), cells.get("voice", "")
    manipulated = _LABELS.get(label.lower())
    if manipulated is None and (label or not voice):
        raise MaterialError(
            N_("%(where)s: unknown label %(label)s. Labels are real and manipulated (also fake, 0, 1).")
            % {"where": where, "label": repr(label)}
        )
    synthetic = _VOICE_LABELS.get(voice.lower())
    if synthetic is None and voice:
        raise MaterialError(
            N_(
                "%(where)s: unknown label %(label)s of a voice. Labels of voices are human and synthetic "
                "(also real, fake)."
            )
            % {"where": where, "label": repr(voice)}
        )
    name = cells["file"]
    return LabelledFile(
        name=name,
        path=Path(name),
        manipulated=manipulated,
        group=cells.get("group", ""),
        generator=_generator(cells.get("generator", "")) if manipulated else None,
        truth=_spans(cells.get("segments", ""), where) if manipulated else None,
        voice=None
        if synthetic is None
        else VoiceLabel(
            synthetic,
            generator=_generator(cells.get("voice_generator", "")) if synthetic else None,
            truth=_spans(cells.get("voice_segments", ""), where) if synthetic else None,
        ),
        persons=tuple(filter(None, (person.strip() for person in cells.get("persons", "").split(";")))),
        attributes={title: cells[key] for key, title in ATTRIBUTES.items() if cells.get(key)},
    )


def _generator(name: str) -> str | None:
    return None if name.lower() in _NO_GENERATOR else name


def _spans(text: str, where: str) -> Spans | None:
    if not text:
        return None
    spans = []
    for part in text.split(";"):
        matched = _SPAN.fullmatch(part.strip())
        if not matched or float(matched[1]) >= float(matched[2]):
            raise MaterialError(
                N_("%(where)s: segments are written as START-END;START-END in seconds.") % {"where": where}
            )
        spans.append((float(matched[1]), float(matched[2])))
    return tuple(spans)


def _hashed(file: LabelledFile) -> LabelledFile:
    try:
        size, sha256 = hash_file(file.path)
    except OSError as error:
        raise MaterialError(f"{file.path}: cannot be read: {error.strerror}.") from None
    return replace(file, bytes=size, sha256=sha256)


def _without_copies(files: Sequence[LabelledFile], remarks: list[Cause]) -> list[LabelledFile]:
    """Drop files with the same bytes; raise if they have different labels."""
    first: dict[str, LabelledFile] = {}
    copies = 0
    for file in files:
        earlier = first.setdefault(file.sha256, file)
        if earlier is file:
            continue
        if _labels(earlier) != _labels(file):
            raise MaterialError(
                N_("%(one)s and %(other)s are the same bytes with different labels.")
                % {"one": earlier.name, "other": file.name}
            )
        copies += 1
    if copies == 1:
        remarks.append(MaterialCode.COPY_LEFT_OUT.cause())
    elif copies:
        remarks.append(MaterialCode.COPIES_LEFT_OUT.cause(copies=copies))
    return sorted(first.values(), key=lambda file: file.name)


def _labels(file: LabelledFile) -> tuple[bool | None, bool | None]:
    return file.manipulated, None if file.voice is None else file.voice.synthetic


def _grouped(files: Sequence[LabelledFile]) -> list[LabelledFile]:
    """Assign files without a group to one of their own, or to the group that carries their name.

    A name that several files share does not identify a group.
    """
    name_counts = Counter(file.name for file in files)
    return [
        replace(file, group=file.group or (file.name if name_counts[file.name] == 1 else file.sha256))
        for file in files
    ]


def _joined(files: Sequence[LabelledFile]) -> tuple[LabelledFile, ...]:
    """Join groups that share a person, under the name of the first."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    first_groups: dict[str, str] = {}
    for file in files:
        for person in file.persons:
            roots = sorted((root(file.group), root(first_groups.setdefault(person, file.group))))
            parent[roots[1]] = roots[0]
    return tuple(replace(file, group=root(file.group)) for file in files)


def _labelled(files: Sequence[LabelledFile]) -> tuple[str, ...]:
    counts: dict[str, int] = defaultdict(int)
    for file in files:
        counts["generator"] += file.generator is not None
        counts["group"] += bool(file.group)
        counts["segments"] += file.truth is not None
        counts["persons"] += bool(file.persons)
        if file.voice is not None:
            counts["voice generator"] += file.voice.generator is not None
            counts["voice segments"] += file.voice.truth is not None
        for name in file.attributes:
            counts[name] += 1
    return tuple(name for name, count in counts.items() if count)
