"""Files against their manifest, and the manifest against its own sum and signature."""

from __future__ import annotations

from reports.bundle.manifest import (
    OWN,
    Manifest,
    ManifestError,
    read_manifest,
    sums,
)
from reports.file_names import MANIFEST, MANIFEST_SIGNATURE, MANIFEST_SUM
from reports.verification.problems import CheckResults
from reports.verification.signatures.checks import check_detached
from reports.verification.signatures.trust import Trust
from reports.verification.sources import Source, Unreadable


def check_files(source: Source, trust: Trust, results: CheckResults) -> Manifest | None:
    """Compare every file with the manifest; returns it, or None where there is none to go by."""
    if MANIFEST not in source.names:
        results.add(MANIFEST, "missing", "without it nothing can be compared")
        return None
    own = {name: data for name in OWN if (data := _read(source, name, results)) is not None}
    text = own.get(MANIFEST)
    if text is None:
        return None
    _check_sum(own, results)
    try:
        manifest = read_manifest(text)
    except ManifestError as error:
        results.add(MANIFEST, "cannot be read", str(error))
        return None
    if manifest.manifest_version == "1.0":
        results.notes.append("Made before manifests had sums of their own: a change of it may go unseen.")
        results.problems[:] = [problem for problem in results.problems if problem.file != MANIFEST_SUM]
    _compare(source, manifest, results)
    _check_signature(own, manifest, trust, results)
    return manifest


def _read(source: Source, name: str, results: CheckResults) -> bytes | None:
    if name not in source.names:
        return None
    try:
        return source.read(name)
    except Unreadable as error:
        results.add(name, "cannot be read", str(error))
        return None


def _check_sum(own: dict[str, bytes], results: CheckResults) -> None:
    """``manifest.sha256`` must be letter by letter what the manifest and its signature make it."""
    if MANIFEST_SUM not in own:
        if not results.wrong(MANIFEST_SUM):
            results.add(MANIFEST_SUM, "missing", f"it holds the SHA-256 of {MANIFEST}")
        return
    covered = {name: own[name] for name in (MANIFEST, MANIFEST_SIGNATURE) if name in own}
    said = own[MANIFEST_SUM]
    if said == sums(covered):
        return
    lines = said.split(b"\n")
    due = sums(covered).split(b"\n")
    for name, line in zip(covered, due, strict=False):
        if line not in lines:
            results.add(
                name, "changed", f"its SHA-256 is not the one in {MANIFEST_SUM}: one of the two was changed"
            )
            results.add(MANIFEST_SUM, "does not fit", f"it gives another SHA-256 for {name}")
    if len(lines) != len(due) or all(line in lines for line in due):
        results.add(MANIFEST_SUM, "changed", "it is not as Reelproof writes it")


def _compare(source: Source, manifest: Manifest, results: CheckResults) -> None:
    by = f"its SHA-256 is not the one in {MANIFEST}" + (", itself changed" if results.wrong(MANIFEST) else "")
    for entry in manifest.files:
        if entry.path not in source.names:
            results.add(entry.path, "missing", f"it is listed in {MANIFEST}")
            continue
        try:
            size, sha256 = source.measured(entry.path)
        except Unreadable as error:
            results.add(entry.path, "cannot be read", str(error))
            continue
        results.files += 1
        if sha256 != entry.sha256:
            more = "" if size == entry.bytes else f"; {size:,} bytes, where {entry.bytes:,} are listed"
            results.add(entry.path, "changed", f"{by}{more}")
        elif size != entry.bytes:
            results.add(
                MANIFEST, "changed", f"it lists {entry.bytes:,} bytes for {entry.path}, which has {size:,}"
            )
    for name in sorted(source.names - {entry.path for entry in manifest.files} - set(OWN)):
        results.add(name, "not listed", f"it is not in {MANIFEST}: it was added later")


def _check_signature(own: dict[str, bytes], manifest: Manifest, trust: Trust, results: CheckResults) -> None:
    said = manifest.signature
    if MANIFEST_SIGNATURE not in own:
        if said is not None and not results.wrong(MANIFEST_SIGNATURE):
            results.add(MANIFEST_SIGNATURE, "missing", f"{MANIFEST} says that {said.signer} signed it")
        elif said is None and trust.asked_by:
            results.add(MANIFEST, "does not fit", f"it is not signed, where {trust.asked_by} asks for it")
        return
    certificate = check_detached(MANIFEST_SIGNATURE, own[MANIFEST], own[MANIFEST_SIGNATURE], trust, results)
    if certificate and (said is None or said.certificate_sha256 != certificate):
        results.add(
            MANIFEST_SIGNATURE, "does not fit", f"{MANIFEST} does not name this certificate as the signer's"
        )
