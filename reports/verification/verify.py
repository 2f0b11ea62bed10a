"""One path from end to end: what it is, and all checks that apply to it, in order.

They run in a confined process: zip, PDF, JSON, signatures and pictures of whoever made them are read there.
"""

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
from reports.bundle.archive import UNREADABLE, BundleError, differences, is_zip, lists_whole, open_zip
from reports.bundle.manifest import ANALYSIS, NAME, OWN, SIGNATURE, SUM, Manifest
from reports.custody.chain import export_notes
from reports.custody.format import NAME as CUSTODY
from reports.custody.format import is_export
from reports.errors import ReportError
from reports.signing.timestamps import SUFFIX
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
from reports.verification.problems import CheckResults, FileProblem
from reports.verification.signatures.trust import Trust
from reports.verification.signatures.trusted_time import check_token
from reports.verification.sources import Folder, Source, Unreadable, Zip

if TYPE_CHECKING:
    from reports.verification.repeated.reanalysis import Reanalysis
    from reports.verification.repeated.recomparison import Recomparison

What = Literal["bundle", "result", "report", "log"]
_NAMED = 12
_OF_CASE = "analyses/*.zip"  # in the export of a whole case
_LARGEST_PDF = 1_000_000_000


class VerifyError(ReportError):
    """What was named is nothing that can be verified."""


@dataclass
class Verified:
    """What was looked at and what was found; ``analysis`` and ``comparisons`` where they could be read.

    ``again`` and ``compared`` are what :func:`verify_against` repeated.
    """

    path: Path
    what: What
    results: CheckResults = field(default_factory=CheckResults)
    analysis: Analysis | None = None
    comparisons: dict[str, Comparison] = field(default_factory=dict)  # by name of their file
    again: Reanalysis | None = None
    compared: list[Recomparison] = field(default_factory=list)

    @property
    def unsigned(self) -> str:
        """What of it no signature holds, in words; empty where one holds all.

        A report signed by itself says nothing of the bundle around it: whoever changes other files takes
        ``manifest.sig`` away and leaves the report.
        """
        signed = self.results.signed
        if not signed:
            return "It is not signed: whoever could change all of it could make it fit again."
        if self.what in ("bundle", "result") and SIGNATURE not in signed:
            return f"Only {' and '.join(signed)} is signed; all other files could have been changed."
        return ""


def verify(path: Path, trust: Sequence[Certificate] = (), trust_time: Sequence[Certificate] = ()) -> Verified:
    """Check a bundle, the folder of a result or an unpacked bundle, a report as PDF, or an exported log.

    ``trust`` and ``trust_time`` are the signers and the authorities of
    :class:`~reports.verification.signatures.trust.Trust`; what these would vouch for is then demanded. Needs
    nothing beside ``path``; :func:`verify_against` goes on with what does. Raises
    :class:`VerifyError` for what is none of these.
    """
    if not path.exists():
        raise VerifyError(f"{path}: there is no such file or folder.")
    done = Verified(path, _kind(path))
    if done.what == "report" and path.stat().st_size > _LARGEST_PDF:
        raise VerifyError(f"{path} is too large for a report.")
    if sys.platform == "linux":
        _check_confined(done, Trust(trust, trust_time))
    else:
        _check(done, Trust(trust, trust_time))
    return done


def _check(done: Verified, trust: Trust) -> None:
    if done.what == "report":
        _verify_pdf(done, trust)
    elif done.what == "log":
        _verify_log(done, trust)
    elif done.what == "result":
        _refuse_others(done.path, Folder(done.path).names)
        _verify_files(done, Folder(done.path), trust)
    else:
        _verify_zip(done, trust)


def _check_confined(done: Verified, trust: Trust) -> None:
    """The same in a confined process; what it found comes back as JSON, nothing else of it is read here."""
    path = done.path.absolute()
    limits = limits_of_environment()
    signers, authorities = ([each.public_bytes(Encoding.DER) for each in told] for told in trust.both)
    with tempfile.TemporaryDirectory(prefix="reelproof-") as place:
        out = Path(place)
        places = AllowedPaths(readable=(path, _stamp_of(path)), writable=(out,))
        what = (_checked, path, done.what, signers, authorities, out)
        try:
            with Sandbox(
                *what, limits=limits, places=places, modules=("reports.verification.verify",)
            ) as confined:
                told = confined.result()
            refuse_links(out)
            if "refused" in told:
                raise VerifyError(told["refused"])
            _take(done, told, out)
        except VerifyError:
            raise
        except LimitError:
            why = "reading it takes more memory, time or disk than allowed (docs/confinement.md, Limits)"
            done.results.add(path.name, "cannot be read", why)
        except (ReelproofError, UnexpectedError) as error:
            done.results.add(path.name, "cannot be read", f"what reads it failed ({last_line(error)[:300]})")


def _checked(
    path: Path, what: What, signers: list[bytes], authorities: list[bytes], out: Path, _report: Progress
) -> dict[str, Any]:
    """What :func:`_take` takes. Runs confined."""
    done = Verified(path, what)
    trust = Trust(*([load_der_x509_certificate(each) for each in told] for told in (signers, authorities)))
    try:
        _check(done, trust)
    except VerifyError as error:
        return {"refused": str(error)}
    if done.analysis:
        (out / ANALYSIS).write_text(done.analysis.to_json(), encoding="utf-8")
    for number, comparison in enumerate(done.comparisons.values()):
        (out / f"{number}.json").write_text(comparison.to_json(), encoding="utf-8")
    return {"what": done.what, "results": asdict(done.results), "comparisons": list(done.comparisons)}


def _take(done: Verified, told: dict[str, Any], out: Path) -> None:
    done.what, found = told["what"], told["results"]
    problems = [FileProblem(**each) for each in found.pop("problems")]
    done.results = CheckResults(problems, **found)
    if (analysis := out / ANALYSIS).exists():
        done.analysis = Analysis.from_json(analysis.read_bytes())
    for number, name in enumerate(told["comparisons"]):
        done.comparisons[name] = Comparison.from_json((out / f"{number}.json").read_bytes())


def verify_against(
    done: Verified,
    models: Sequence[Path] = (),
    exhibit: Path | None = None,
    references: Sequence[Path] = (),
) -> None:
    """Check what :func:`verify` read against weights, and repeat it with ``exhibit`` and ``references``.

    Weights are compared without ``models`` too, with those installed: the first one named is to hold the
    model that judged, all may hold the others. A reference is compared with ``exhibit`` only. Adds to
    ``done``. Raises :class:`~reports.verification.repeated.reanalysis.ReanalysisError` where the work cannot
    be repeated, :class:`~reports.verification.model_weights.ModelFileError` for a model that is not there,
    and :class:`~detector.errors.MediaError`.
    """
    from reports.verification.model_weights import check_model, other_weights
    from reports.verification.repeated.reanalysis import ReanalysisError, reanalyse
    from reports.verification.repeated.recomparison import recompare

    if done.analysis is None:
        if exhibit is not None or models:
            raise ReanalysisError(
                f"{done.path} holds no analysis.json that can be read: nothing to compare with."
            )
        return
    if (surplus := models[1:]) and not (exhibit is not None and done.analysis.others):
        why = "with --reanalyse, of an analysis by several models, more than one is looked at"
        done.results.notes.append(f"--model {', '.join(map(str, surplus))} was not looked at: only {why}.")
    weights = check_model(done.analysis, next(iter(models), None), done.results)
    if exhibit is None:
        return
    others = other_weights(done.analysis, models)
    with _files_of(done) as pictures:
        done.again = reanalyse(done.analysis, exhibit, weights, done.results, others, pictures)
    if done.again is not None:  # else it is another file
        done.compared = recompare(done.comparisons, exhibit, references, done.results)


@contextmanager
def _files_of(done: Verified) -> Iterator[Source | None]:
    """The files that were verified; None of a PDF."""
    if done.path.is_dir():
        yield Folder(done.path)
    elif done.what == "report":
        yield None
    else:
        with open_zip(done.path) as archive:
            yield Zip(archive)


def _kind(path: Path) -> What:
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


def _refuse_others(path: Path, names: Collection[str]) -> None:
    """Raise :class:`VerifyError` for what has not one file of a manifest: it is something else."""
    if not set(OWN).isdisjoint(names):
        return
    what, to_do = f"holds no {NAME}", "Name another one."
    if any(fnmatchcase(name, _OF_CASE) for name in names):
        what, to_do = "is a whole case", "Verify each bundle of its folder analyses/."
    made_by = "it is no review bundle and no folder that analyze --out wrote"
    raise VerifyError(f"{path} {what}: {made_by}. {to_do}")


def _verify_zip(done: Verified, trust: Trust) -> None:
    try:
        with open_zip(done.path) as archive:
            if lists_whole(done.path, archive):
                _refuse_others(done.path, archive.namelist())
            manifest = _verify_files(done, Zip(archive), trust)
            if manifest and manifest.manifest_version != "1.0":
                _check_container(done.path, archive, manifest, done.results)
            elif manifest:
                done.results.notes.append("Made before the bytes of a zip were all determined by its files.")
    except BundleError as error:
        done.results.add(done.path.name, "cannot be read", str(error))


def _check_container(path: Path, archive: zipfile.ZipFile, manifest: Manifest, results: CheckResults) -> None:
    """Every byte of the zip that is no file's: headers, list of files, end."""
    names = [entry.path for entry in manifest.files]
    names += [NAME, SUM, *([SIGNATURE] if manifest.signature else [])]
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


def _verify_files(done: Verified, source: Source, trust: Trust) -> Manifest | None:
    results = done.results
    manifest = check_files(source, trust, results)
    if manifest:
        done.what = manifest.contents
        results.facts |= {
            "made": f"{manifest.made} by Reelproof {manifest.software.get('reelproof', '')}",
            "exhibit": f"{manifest.exhibit.file}, {manifest.exhibit.bytes:,} bytes, "
            f"SHA-256 {manifest.exhibit.sha256}",
            "model": f"{manifest.model.name}, SHA-256 {manifest.model.sha256}",
        }
        if manifest.custody:
            head = manifest.custody
            results.facts["custody log"] = f"{head.count:,} entries then, the last one {head.head}"
    done.analysis = check_consistency(source, manifest, results)

    def beside(name: str) -> bytes | None:
        try:
            return source.read(name) if name in source.names else None
        except Unreadable:
            return None

    attached: Mapping[str, bytes] = {}
    if (report := beside("report.pdf")) is not None:
        old = manifest is not None and manifest.manifest_version == "1.0"
        attached = check_pdf("report.pdf", report, trust, results, beside, without_digest=old)
        check_scores("report.pdf", attached, done.analysis, results)
    done.comparisons = check_comparisons(source, done.analysis, attached, results)
    check_page(source, done.analysis, attached, results)
    return manifest


def _verify_log(done: Verified, trust: Trust) -> None:
    """An exported custody log, and the timestamp beside it: if there is one, with ``trust`` in any case."""
    results, name = done.results, done.path.name
    text = done.path.read_bytes()
    results.files = 1
    told = unbroken_log(name, text, results)
    if told is None:
        return
    results.notes.extend(export_notes(told))
    results.facts["custody log"] = f"{told.count:,} entries then, the last one {told.head}"
    stamp = _stamp_of(done.path)
    if stamp.exists():
        check_token(stamp.name, text, stamp.read_bytes(), trust, results)
    elif asked_by := trust.time_asked_by or trust.asked_by:
        results.add(stamp.name, "missing", f"the log has no timestamp, where {asked_by} asks for one")


def _stamp_of(path: Path) -> Path:
    """The token beside a log."""
    return path.with_name(path.name + SUFFIX)


def _verify_pdf(done: Verified, trust: Trust) -> None:
    results, name = done.results, done.path.name
    attached = check_pdf(name, done.path.read_bytes(), trust, results, alone=True)
    text = attached.get(ANALYSIS)
    if text is not None:
        done.analysis = check_analysis(f"{name}/{ANALYSIS}", text, results)
    check_scores(name, attached, done.analysis, results)
    check_beside(attached.get, done.analysis, results, below=f"{name}/")
    check_attached(name, attached, done.analysis, results)
    if done.analysis:
        media, model = done.analysis.media, done.analysis.model
        results.facts["exhibit"] = f"{media.file}, {media.bytes:,} bytes, SHA-256 {media.sha256}"
        results.facts["model"] = f"{model.name}, SHA-256 {model.sha256}"
