"""What a path is, and all checks that apply to it by itself, in order.

Zip, PDF, JSON, signatures and pictures of whoever made them are read here: :mod:`reports.verification.verify`
has it done in a confined process.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from reports.bundle.archive import UNREADABLE, BundleError, differences, is_zip, lists_whole, open_zip
from reports.bundle.manifest import OWN, Manifest
from reports.custody.chain import export_notes
from reports.custody.format import is_export
from reports.file_names import ANALYSIS, CUSTODY, MANIFEST, MANIFEST_SIGNATURE, MANIFEST_SUM, REPORT_PDF
from reports.signing.timestamps import SUFFIX
from reports.text.numbers import plural
from reports.verification.comparisons import check_attached, check_comparisons
from reports.verification.consistency import (
    check_analysis,
    check_beside,
    check_consistency,
    check_scores,
    unbroken_log,
)
from reports.verification.listed_files import check_files
from reports.verification.page import check_page
from reports.verification.pdf import check_pdf
from reports.verification.problems import CheckResults
from reports.verification.signatures.trust import Trust
from reports.verification.signatures.trusted_time import check_token
from reports.verification.sources import Folder, Source, Unreadable, Zip
from reports.verification.verified import PathKind, Verified, VerifyError

_NAMED = 12
_OF_CASE = "analyses/*.zip"  # in the export of a whole case


def kind_of(path: Path) -> PathKind:
    """What is at a path, by its first bytes and its name; raises :class:`VerifyError` for none of these."""
    if path.is_dir():
        return "result"
    if not path.is_file():
        raise VerifyError(f"{path} is neither a file nor a folder.")
    with path.open("rb") as stream:
        head = stream.read(5)
    # By name too: the first byte may be the damaged one.
    if head == b"%PDF-" or (path.suffix.lower() == ".pdf" and not is_zip(path)):
        return "report"
    if path.name == CUSTODY or (path.suffix.lower() == ".json" and is_export(path.read_bytes())):
        return "log"
    if is_zip(path) or path.suffix.lower() == ".zip":
        return "bundle"
    raise VerifyError(
        f"{path} is no review bundle (zip), report (PDF), exported custody log (JSON), or folder that "
        "analyze --out wrote. Of a file in such a folder, name the folder."
    )


def check_path(verified: Verified, trust: Trust) -> None:
    """Add to ``verified`` what its path shows by itself; raises :class:`VerifyError` for something else."""
    if verified.kind == "report":
        _verify_pdf(verified, trust)
    elif verified.kind == "log":
        _verify_log(verified, trust)
    elif verified.kind == "result":
        _refuse_others(verified.path, Folder(verified.path).names)
        _verify_files(verified, Folder(verified.path), trust)
    else:
        _verify_zip(verified, trust)


def _refuse_others(path: Path, names: Collection[str]) -> None:
    """Raise :class:`VerifyError` for what has not one file of a manifest: it is something else."""
    if not set(OWN).isdisjoint(names):
        return
    what, to_do = f"holds no {MANIFEST}", "Name another one."
    if any(fnmatchcase(name, _OF_CASE) for name in names):
        what, to_do = "is a whole case", "Verify each bundle of its folder analyses/."
    made_by = "it is no review bundle and no folder that analyze --out wrote"
    raise VerifyError(f"{path} {what}: {made_by}. {to_do}")


def _verify_zip(verified: Verified, trust: Trust) -> None:
    try:
        with open_zip(verified.path) as archive:
            if lists_whole(verified.path, archive):
                _refuse_others(verified.path, archive.namelist())
            manifest = _verify_files(verified, Zip(archive), trust)
            if manifest and manifest.manifest_version != "1.0":
                _check_container(verified.path, archive, manifest, verified.results)
            elif manifest:
                verified.results.notes.append(
                    "Made before the bytes of a zip were all determined by its files."
                )
    except BundleError as error:
        verified.results.add(verified.path.name, "cannot be read", str(error))


def _check_container(path: Path, archive: zipfile.ZipFile, manifest: Manifest, results: CheckResults) -> None:
    """Every byte of the zip that is no file's: headers, list of files, end."""
    names = [entry.path for entry in manifest.files]
    names += [MANIFEST, MANIFEST_SUM, *([MANIFEST_SIGNATURE] if manifest.signature else [])]
    if set(names) != {entry.filename for entry in archive.infolist()}:
        if not results.problems:  # folders have entries of their own
            results.add(path.name, "changed", "the zip holds entries that are no files")
        return
    others = [e for e in archive.infolist() if e.compress_type or e.date_time[:3] != (1980, 1, 1)]
    if 2 * len(others) > len(names):
        why = "the zip was packed again by another program. Unpack it and verify the folder."
        results.add(path.name, "changed", why)
        return
    try:
        found = differences(path, names)
    except (*UNREADABLE, RuntimeError, KeyError) as error:
        if not results.problems:
            results.add(path.name, "cannot be read", " ".join(str(error).split()))
        return
    for name, why in found[:_NAMED]:
        results.add(name or path.name, "changed", why if name else f"the zip itself: {why}")
    if len(found) > _NAMED:
        results.add(path.name, "changed", f"the zip differs in {len(found) - _NAMED} more places")


def _verify_files(verified: Verified, source: Source, trust: Trust) -> Manifest | None:
    results = verified.results
    manifest = check_files(source, trust, results)
    if manifest:
        verified.kind = manifest.contents
        results.facts |= {
            "made": f"{manifest.made} by Reelproof {manifest.software.get('reelproof', '')}",
            "exhibit": f"{manifest.exhibit.file}, {manifest.exhibit.bytes:,} bytes, "
            f"SHA-256 {manifest.exhibit.sha256}",
            "model": f"{manifest.model.name}, SHA-256 {manifest.model.sha256}",
        }
        if manifest.custody:
            head = manifest.custody
            results.facts["custody log"] = _entries(head.count, head.head)
    verified.analysis = check_consistency(source, manifest, results)

    def beside(name: str) -> bytes | None:
        try:
            return source.read(name) if name in source.names else None
        except Unreadable:
            return None

    attached: Mapping[str, bytes] = {}
    if (report := beside(REPORT_PDF)) is not None:
        old = manifest is not None and manifest.manifest_version == "1.0"
        attached = check_pdf(REPORT_PDF, report, trust, results, beside, without_digest=old)
        check_scores(REPORT_PDF, attached, verified.analysis, results)
    verified.comparisons = check_comparisons(source, verified.analysis, attached, results)
    check_page(source, verified.analysis, attached, results)
    return manifest


def _verify_log(verified: Verified, trust: Trust) -> None:
    """An exported custody log, and the timestamp beside it: if there is one, with ``trust`` in any case."""
    results, name = verified.results, verified.path.name
    text = verified.path.read_bytes()
    results.files = 1
    told = unbroken_log(name, text, results)
    if told is None:
        return
    results.notes.extend(export_notes(told))
    results.facts["custody log"] = _entries(told.count, told.head)
    stamp = stamp_of(verified.path)
    if stamp.exists():
        check_token(stamp.name, text, stamp.read_bytes(), trust, results)
    elif asked_by := trust.time_asked_by or trust.asked_by:
        results.add(stamp.name, "missing", f"the log has no timestamp, where {asked_by} asks for one")


def stamp_of(path: Path) -> Path:
    """Where the token beside a log lies, if there is one."""
    return path.with_name(path.name + SUFFIX)


def _verify_pdf(verified: Verified, trust: Trust) -> None:
    results, name = verified.results, verified.path.name
    attached = check_pdf(name, verified.path.read_bytes(), trust, results, alone=True)
    text = attached.get(ANALYSIS)
    if text is not None:
        verified.analysis = check_analysis(f"{name}/{ANALYSIS}", text, results)
    check_scores(name, attached, verified.analysis, results)
    check_beside(attached.get, verified.analysis, results, below=f"{name}/")
    check_attached(name, attached, verified.analysis, results)
    if verified.analysis:
        media, model = verified.analysis.media, verified.analysis.model
        results.facts["exhibit"] = f"{media.file}, {media.bytes:,} bytes, SHA-256 {media.sha256}"
        results.facts["model"] = f"{model.name}, SHA-256 {model.sha256}"


def _entries(count: int, last: str) -> str:
    """How many entries a log had, and the hash of the last one."""
    return f"{plural(count, 'entry', 'entries')} then, the last one {last}"
