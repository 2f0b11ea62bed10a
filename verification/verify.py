"""Verify one path: detect its kind, run all checks of its files, then those against weights and exhibit."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_der_x509_certificate

from detector.errors import ReelproofError, last_line
from detector.progress import Progress
from detector.sandbox import AllowedPaths, LimitError, Sandbox, UnexpectedError, refuse_links
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from language.formatting import plural
from reports.bundle.archive import UNREADABLE, BundleError, differences, is_zip, lists_whole, open_zip
from reports.bundle.manifest import OWN, Manifest, ManifestError, read_manifest, sums
from reports.custody.chain import export_notes
from reports.custody.format import is_export
from reports.errors import ReportError
from reports.file_names import ANALYSIS, CUSTODY, MANIFEST, MANIFEST_SIGNATURE, MANIFEST_SUM, REPORT_PDF
from reports.signing.timestamps import SUFFIX
from verification.checks import CheckResults, FileProblem, Folder, Source, Unreadable, Zip, read_checked
from verification.comparison_checks import check_attached, check_comparisons
from verification.consistency import (
    check_analysis,
    check_beside,
    check_consistency,
    check_scores,
    unbroken_log,
)
from verification.page_checks import check_page
from verification.pdf_checks import check_pdf
from verification.signatures import check_detached
from verification.trusted_time import Trust, check_token

if TYPE_CHECKING:
    from verification.reanalysis import Reanalysis
    from verification.recomparison import Recomparison


PathKind = Literal["bundle", "result", "report", "log"]


class VerifyError(ReportError):
    """The path cannot be verified."""


@dataclass
class Verified:
    """What was verified, and the results; ``analysis`` and ``comparisons`` if they could be read.

    ``reanalysis`` and ``recomparisons`` are what :func:`verify_against` repeated.
    """

    path: Path
    kind: PathKind
    results: CheckResults = field(default_factory=CheckResults)
    analysis: Analysis | None = None
    comparisons: dict[str, Comparison] = field(default_factory=dict)  # by name of their file
    reanalysis: Reanalysis | None = None
    recomparisons: list[Recomparison] = field(default_factory=list)

    @property
    def unsigned(self) -> str:
        """Describe what no signature covers; return "" if one covers everything.

        A signed report says nothing about the bundle around it: whoever changes other files removes
        ``manifest.sig`` and leaves the report.
        """
        signed = self.results.signed
        if not signed:
            return "It is not signed: whoever could change all of it could make it fit again."
        if self.kind in ("bundle", "result") and MANIFEST_SIGNATURE not in signed:
            return f"Only {' and '.join(signed)} is signed; all other files could have been changed."
        return ""


def check_files(source: Source, trust: Trust, results: CheckResults) -> Manifest | None:
    """Compare every file with the manifest; return it, or None without a readable one."""
    if MANIFEST not in source.names:
        results.add(MANIFEST, "missing", "without it nothing can be compared")
        return None
    own = {name: data for name in OWN if (data := read_checked(source, name, results)) is not None}
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


def _check_sum(own: dict[str, bytes], results: CheckResults) -> None:
    """Check that ``manifest.sha256`` is exactly what the manifest and its signature require."""
    if MANIFEST_SUM not in own:
        if not results.wrong(MANIFEST_SUM):
            results.add(MANIFEST_SUM, "missing", f"it holds the SHA-256 of {MANIFEST}")
        return
    covered = {name: own[name] for name in (MANIFEST, MANIFEST_SIGNATURE) if name in own}
    stated_sum = own[MANIFEST_SUM]
    if stated_sum == sums(covered):
        return
    lines = stated_sum.split(b"\n")
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
    signature = manifest.signature
    if MANIFEST_SIGNATURE not in own:
        if signature is not None and not results.wrong(MANIFEST_SIGNATURE):
            results.add(MANIFEST_SIGNATURE, "missing", f"{MANIFEST} says that {signature.signer} signed it")
        elif signature is None and trust.asked_by:
            results.add(MANIFEST, "does not fit", f"it is not signed, but {trust.asked_by} demands it")
        return
    certificate = check_detached(MANIFEST_SIGNATURE, own[MANIFEST], own[MANIFEST_SIGNATURE], trust, results)
    if certificate and (signature is None or signature.certificate_sha256 != certificate):
        results.add(
            MANIFEST_SIGNATURE, "does not fit", f"{MANIFEST} does not name this certificate as the signer's"
        )


_NAMED = 12
_OF_CASE = "analyses/*.zip"  # in the export of a whole case


def kind_of(path: Path) -> PathKind:
    """Return the kind of a path by its first bytes and its name; raise :class:`VerifyError` for any other."""
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
    """Add the results of all checks of the path itself; raise :class:`VerifyError` for any other kind."""
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
    """Raise :class:`VerifyError` for a folder or zip without any file of a manifest."""
    if not set(OWN).isdisjoint(names):
        return
    problem, to_do = f"holds no {MANIFEST}", "Name another one."
    if any(fnmatchcase(name, _OF_CASE) for name in names):
        problem, to_do = "is a whole case", "Verify each bundle of its folder analyses/."
    made_by = "it is no review bundle and no folder that analyze --out wrote"
    raise VerifyError(f"{path} {problem}: {made_by}. {to_do}")


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
    """Check every byte of the zip outside its files: headers, directory, end."""
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
        problems = differences(path, names)
    except (*UNREADABLE, RuntimeError, KeyError) as error:
        if not results.problems:
            results.add(path.name, "cannot be read", " ".join(str(error).split()))
        return
    for name, why in problems[:_NAMED]:
        results.add(name or path.name, "changed", why if name else f"the zip itself: {why}")
    if len(problems) > _NAMED:
        results.add(path.name, "changed", f"the zip differs in {len(problems) - _NAMED} more places")


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
        return read_checked(source, name, results)

    attached: Mapping[str, bytes] = {}
    if (report := beside(REPORT_PDF)) is not None:
        old = manifest is not None and manifest.manifest_version == "1.0"
        attached = check_pdf(REPORT_PDF, report, trust, results, beside, without_digest=old)
        check_scores(REPORT_PDF, attached, verified.analysis, results)
    verified.comparisons = check_comparisons(source, verified.analysis, attached, results)
    check_page(source, verified.analysis, attached, results)
    return manifest


def _verify_log(verified: Verified, trust: Trust) -> None:
    """Check an exported custody log, and its timestamp: if it has one, always with ``trust``."""
    results, name = verified.results, verified.path.name
    text = verified.path.read_bytes()
    results.files = 1
    chain = unbroken_log(name, text, results)
    if chain is None:
        return
    results.notes.extend(export_notes(chain))
    results.facts["custody log"] = _entries(chain.count, chain.head)
    stamp = stamp_of(verified.path)
    if stamp.exists():
        check_token(stamp.name, text, stamp.read_bytes(), trust, results)
    elif asked_by := trust.time_asked_by or trust.asked_by:
        results.add(stamp.name, "missing", f"the log has no timestamp, where {asked_by} asks for one")


def stamp_of(path: Path) -> Path:
    """Return the path of the timestamp beside a log, if there is one."""
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
    """Return the number of entries of a log and the hash of the last one."""
    return f"{plural(count, 'entry', 'entries')} then, the last one {last}"


_LARGEST_PDF = 1_000_000_000


def verify(path: Path, trust: Sequence[Certificate] = (), trust_time: Sequence[Certificate] = ()) -> Verified:
    """Check a bundle, the folder of a result or an unpacked bundle, a report as PDF, or an exported log.

    ``trust`` and ``trust_time`` are the signers and authorities of
    :class:`~verification.trusted_time.Trust`, whose signatures are then demanded. Nothing but
    ``path`` is needed; :func:`verify_against` continues with other files. Raise :class:`VerifyError` for any
    other kind of path.
    """
    if not path.exists():
        raise VerifyError(f"{path}: there is no such file or folder.")
    verified = Verified(path, kind_of(path))
    if verified.kind == "report" and path.stat().st_size > _LARGEST_PDF:
        raise VerifyError(f"{path} is too large for a report.")
    if sys.platform == "linux":
        _check_confined(verified, Trust(trust, trust_time))
    else:
        check_path(verified, Trust(trust, trust_time))
    return verified


def _check_confined(verified: Verified, trust: Trust) -> None:
    """Run the checks in a confined process and read only JSON from it."""
    path = verified.path.absolute()
    limits = limits_of_environment()
    signers, authorities = (
        [certificate.public_bytes(Encoding.DER) for certificate in certificates]
        for certificates in trust.both
    )
    with tempfile.TemporaryDirectory(prefix="reelproof-") as place:
        out = Path(place)
        places = AllowedPaths(readable=(path, stamp_of(path)), writable=(out,))
        call = (_check_here, path, verified.kind, signers, authorities, out)
        try:
            with Sandbox(*call, limits=limits, places=places, modules=("verification.verify",)) as confined:
                outcome = confined.result()
            refuse_links(out)
            if "refused" in outcome:
                raise VerifyError(outcome["refused"])
            _take_over(verified, outcome, out)
        except VerifyError:
            raise
        except LimitError:
            why = "reading it takes more memory, time or disk than allowed (docs/confinement.md, Limits)"
            verified.results.add(path.name, "cannot be read", why)
        except (ReelproofError, UnexpectedError) as error:
            verified.results.add(
                path.name, "cannot be read", f"what reads it failed ({last_line(error)[:300]})"
            )


def _check_here(
    path: Path, kind: PathKind, signers: list[bytes], authorities: list[bytes], out: Path, _report: Progress
) -> dict[str, Any]:
    """Run the checks in the confined process; return and leave in ``out`` what :func:`_take_over` reads."""
    verified = Verified(path, kind)
    trust = Trust(
        *(
            [load_der_x509_certificate(certificate) for certificate in certificates]
            for certificates in (signers, authorities)
        )
    )
    try:
        check_path(verified, trust)
    except VerifyError as error:
        return {"refused": str(error)}
    if verified.analysis:
        (out / ANALYSIS).write_text(verified.analysis.to_json(), encoding="utf-8")
    for number, comparison in enumerate(verified.comparisons.values()):
        (out / f"{number}.json").write_text(comparison.to_json(), encoding="utf-8")
    return {
        "kind": verified.kind,
        "results": asdict(verified.results),
        "comparisons": list(verified.comparisons),
    }


def _take_over(verified: Verified, outcome: dict[str, Any], out: Path) -> None:
    """Add to ``verified`` what the confined process returned and left in ``out``."""
    verified.kind, results = outcome["kind"], outcome["results"]
    problems = [FileProblem(**problem) for problem in results.pop("problems")]
    verified.results = CheckResults(problems, **results)
    if (analysis := out / ANALYSIS).exists():
        verified.analysis = Analysis.from_json(analysis.read_bytes())
    for number, name in enumerate(outcome["comparisons"]):
        verified.comparisons[name] = Comparison.from_json((out / f"{number}.json").read_bytes())


def verify_against(
    verified: Verified,
    models: Sequence[Path],
    exhibit: Path | None,
    references: Sequence[Path],
) -> None:
    """Check the result of :func:`verify` against weights, and repeat it with ``exhibit`` and ``references``.

    Without ``models`` the installed weights are compared: the first model named must be the one that judged,
    all may be the others. References are compared with ``exhibit`` only. Raise
    :class:`~verification.reanalysis.ReanalysisError` if the work cannot be repeated, and
    :class:`~verification.reanalysis.ModelFileError` for a missing model.
    """
    from verification.reanalysis import (
        ReanalysisError,
        check_model,
        check_voice_model,
        other_weights,
        reanalyse,
    )
    from verification.recomparison import recompare

    if verified.analysis is None:
        if exhibit is not None or models:
            raise ReanalysisError(
                f"{verified.path} holds no analysis.json that can be read: nothing to compare with."
            )
        return
    if (surplus := models[1:]) and not (exhibit is not None and verified.analysis.others):
        why = "with --reanalyse, of an analysis by several models, more than one is looked at"
        verified.results.notes.append(
            f"--model {', '.join(map(str, surplus))} was not looked at: only {why}."
        )
    weights = check_model(verified.analysis, next(iter(models), None), verified.results)
    check_voice_model(verified.analysis, verified.results)
    if exhibit is None:
        return
    others = other_weights(verified.analysis, models)
    with _files_of(verified) as pictures:
        verified.reanalysis = reanalyse(
            verified.analysis, exhibit, weights, verified.results, others, pictures
        )
    if verified.reanalysis is not None:  # else it is another file
        verified.recomparisons = recompare(verified.comparisons, exhibit, references, verified.results)


@contextmanager
def _files_of(verified: Verified) -> Iterator[Source | None]:
    """Return the verified files; None for a PDF."""
    if verified.path.is_dir():
        yield Folder(verified.path)
    elif verified.kind == "report":
        yield None
    else:
        with open_zip(verified.path) as archive:
            yield Zip(archive)
