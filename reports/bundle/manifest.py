"""``manifest.json``: every file of a result or bundle with its SHA-256, and what the files are about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from detector.files import hash_file
from detector.schema.analysis import Analysis, Sha256, Value
from detector.schema.formatting import escape_directions
from reports.errors import ReportError, first_problem
from reports.file_names import MANIFEST, MANIFEST_SIGNATURE, MANIFEST_SUM
from reports.untrusted_input import escapes_folder, is_crowded

VERSION = "2.0"
OWN = (MANIFEST, MANIFEST_SUM, MANIFEST_SIGNATURE)  # those no manifest lists
LARGEST_MANIFEST = 10_000_000
# What tells a manifest of before 2.0: the key of its version, and what kind it is of.
_OLDER: dict[str, Literal["result", "bundle"]] = {"bundle_version": "bundle", "manifest_version": "result"}


class ManifestError(ReportError):
    """A manifest cannot be read."""


def _inside(path: str) -> str:
    if not path or escapes_folder(path) or path in OWN or str(path) != path.strip("/"):
        raise ValueError("names no file of a result")
    return path


class _Open(Value):
    """Base of the manifest's values; unknown fields of later 2.x versions are ignored."""

    model_config = ConfigDict(extra="ignore")


class ManifestEntry(_Open):
    """One file."""

    path: Annotated[str, AfterValidator(_inside)] = Field(description="with / between folders")
    bytes: int = Field(ge=0)
    sha256: Sha256


class ManifestExhibit(_Open):
    """The file that was analysed, whether or not it is included."""

    file: str
    bytes: int = Field(ge=0)
    sha256: Sha256


class Weights(_Open):
    """The model that judged."""

    name: str
    sha256: Sha256


class CustodyHead(_Open):
    """Length of the whole custody log, and the hash of its last entry."""

    count: int = Field(ge=0)
    head: Sha256
    head_mac: Sha256


class SignedBy(_Open):
    """The signer of the manifest."""

    file: str
    signer: str
    certificate_sha256: Sha256


class Manifest(_Open):
    """Content of ``manifest.json``."""

    manifest_version: str
    contents: Literal["result", "bundle"]
    made: str
    analysis: str | None = Field(default=None, description="id in the web app")
    software: dict[str, str]
    exhibit: ManifestExhibit
    model: Weights
    voice_model: Weights | None = Field(
        default=None, description="the network that judged voices, if any did"
    )
    case: dict[str, Any] | None = None
    custody: CustodyHead | None = None
    signature: SignedBy | None = None
    files: tuple[ManifestEntry, ...]


class Signer(Protocol):
    """Interface of keys that sign manifests."""

    @property
    def name(self) -> str:
        """Name in the certificate."""

    @property
    def certificate_sha256(self) -> str:
        """SHA-256 of the certificate."""

    def sign(self, data: bytes) -> bytes:
        """Return a detached CMS signature over ``data`` (DER)."""


def new_manifest(
    analysis: Analysis,
    contents: Literal["result", "bundle"],
    *,
    made: str | None = None,
    analysis_id: str | None = None,
) -> Manifest:
    """Return a manifest without files; ``made`` defaults to the time of the analysis."""
    software = analysis.software.model_dump(mode="json", exclude_none=True)
    software.pop("created")
    return Manifest(
        manifest_version=VERSION,
        contents=contents,
        made=made or analysis.software.created,
        analysis=analysis_id,
        software={
            "schema": analysis.schema_version,
            **{k: str(v) for k, v in software.items() if isinstance(v, str | int)},
        },
        exhibit=ManifestExhibit(
            file=analysis.media.file, bytes=analysis.media.bytes, sha256=analysis.media.sha256
        ),
        model=Weights(name=analysis.model.name, sha256=analysis.model.sha256),
        voice_model=Weights(name=analysis.voice.model.name, sha256=analysis.voice.model.sha256)
        if analysis.voice
        else None,
        files=(),
    )


def file_entries(folder: Path, names: Iterable[str]) -> tuple[ManifestEntry, ...]:
    """Return entries of the files ``names`` below ``folder``, sorted by name."""
    return tuple(_entry(folder, name) for name in sorted(set(names)))


def _entry(folder: Path, name: str) -> ManifestEntry:
    size, digest = hash_file(folder / name)
    return ManifestEntry(path=name, bytes=size, sha256=digest)


def entry_of(name: str, data: bytes) -> ManifestEntry:
    """Return the entry of a file with these bytes."""
    return ManifestEntry(path=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def manifest_files(
    manifest: Manifest,
    *,
    case: bytes | None = None,
    custody: bytes | None = None,
    signer: Signer | None = None,
) -> dict[str, bytes]:
    """Return ``manifest.json`` and the files beside it, in the order at the end of a bundle.

    ``case`` and ``custody`` are the bytes of ``case.json`` and ``custody.json`` if they are listed.
    """
    sums_ = {
        "case": json.loads(case) if case else None,
        "custody": CustodyHead.model_validate_json(custody) if custody else None,
        "signature": signer
        and SignedBy(
            file=MANIFEST_SIGNATURE, signer=signer.name, certificate_sha256=signer.certificate_sha256
        ),
    }
    values = manifest.model_copy(update=sums_).model_dump(mode="json")
    text = (escape_directions(json.dumps(values, indent=2, ensure_ascii=False)) + "\n").encode()
    files = {MANIFEST: text}
    if signer:
        files[MANIFEST_SIGNATURE] = signer.sign(text)
    return {MANIFEST: text, MANIFEST_SUM: sums(files), **files}


def sums(files: Mapping[str, bytes]) -> bytes:
    """Return the text of ``manifest.sha256`` in the format of sha256sum."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


def listed_in(folder: Path) -> tuple[str, ...]:
    """Return names of the files that the manifest in ``folder`` lists; none without a readable manifest.

    Files of an unpacked bundle are left out because nobody can make them again.
    """
    earlier = manifest_in(folder)
    return tuple(entry.path for entry in earlier.files) if earlier and earlier.contents == "result" else ()


def holds_bundle(folder: Path) -> bool:
    """Return whether ``folder`` is an unpacked bundle, by its manifest."""
    earlier = manifest_in(folder)
    return earlier is not None and earlier.contents == "bundle"


def manifest_in(folder: Path) -> Manifest | None:
    """Read the manifest in ``folder``; return None without a readable one."""
    try:
        return read_manifest((folder / MANIFEST).read_bytes())
    except (OSError, ManifestError):
        return None


def read_manifest(data: bytes) -> Manifest:
    """Parse a manifest, also of version 1.0; raise :class:`ManifestError` if it is invalid."""
    if len(data) > LARGEST_MANIFEST or is_crowded(data):
        raise ManifestError(f"{MANIFEST} is too large for what it is.")
    try:
        values = json.loads(data, object_pairs_hook=_once)
        kind = next((kind for key, kind in _OLDER.items() if key in values), None)
        version = str(values[next(key for key in _OLDER if key in values)])
    except (ValueError, TypeError, KeyError, StopIteration, RecursionError):
        raise ManifestError(f"This holds no {MANIFEST} of Reelproof that can be read.") from None
    if version.partition(".")[0] == "1" and kind:
        values = _of_version_1(values, kind)
    elif version.partition(".")[0] != VERSION.partition(".")[0]:
        raise ManifestError(
            f"A newer version of Reelproof made this (manifest {version[:20]}). Update Reelproof first."
        )
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        raise ManifestError(f"{MANIFEST} is malformed at {first_problem(error, 'its top level')}.") from None
    paths = [entry.path for entry in manifest.files]
    if len(set(paths)) != len(paths):
        raise ManifestError(f"{MANIFEST} lists a file twice.")
    return manifest


def _of_version_1(values: dict[str, Any], kind: Literal["result", "bundle"]) -> dict[str, Any]:
    """Convert a manifest of version 1.0."""
    software = {"reelproof": str(values.get("software_version", ""))}
    return {
        "manifest_version": "1.0",
        "contents": kind,
        "made": values.get("made", values.get("created", "")),
        "analysis": values.get("analysis"),
        "software": software,
        **{name: values[name] for name in ("exhibit", "model", "files") if name in values},
    }


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object without repeated keys, which readers would interpret differently."""
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key stands twice")
    return unique
