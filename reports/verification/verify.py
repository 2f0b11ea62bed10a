"""Verifying one path: what it shows by itself, and what it shows against weights, the exhibit, references.

What the path shows by itself (:mod:`reports.verification.path_checks`) is found in a confined process: zip,
PDF, JSON, signatures and pictures of whoever made them are read there.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_der_x509_certificate

from detector.errors import ReelproofError, last_line
from detector.progress import Progress
from detector.sandbox import AllowedPaths, LimitError, Sandbox, UnexpectedError, refuse_links
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Analysis
from detector.schema.comparison import Comparison
from reports.bundle.archive import open_zip
from reports.file_names import ANALYSIS
from reports.verification.path_checks import check_path, kind_of, stamp_of
from reports.verification.problems import CheckResults, FileProblem
from reports.verification.signatures.trust import Trust
from reports.verification.sources import Folder, Source, Zip
from reports.verification.verified import PathKind, Verified, VerifyError

_LARGEST_PDF = 1_000_000_000


def verify(path: Path, trust: Sequence[Certificate] = (), trust_time: Sequence[Certificate] = ()) -> Verified:
    """Check a bundle, the folder of a result or an unpacked bundle, a report as PDF, or an exported log.

    ``trust`` and ``trust_time`` are the signers and the authorities of
    :class:`~reports.verification.signatures.trust.Trust`; what these would vouch for is then demanded. Needs
    nothing beside ``path``; :func:`verify_against` goes on with what does. Raises
    :class:`VerifyError` for what is none of these.
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
    """The same in a confined process; what it found comes back as JSON, nothing else of it is read here."""
    path = verified.path.absolute()
    limits = limits_of_environment()
    signers, authorities = (
        [each.public_bytes(Encoding.DER) for each in certificates] for certificates in trust.both
    )
    with tempfile.TemporaryDirectory(prefix="reelproof-") as place:
        out = Path(place)
        places = AllowedPaths(readable=(path, stamp_of(path)), writable=(out,))
        call = (_check_here, path, verified.kind, signers, authorities, out)
        try:
            with Sandbox(
                *call, limits=limits, places=places, modules=("reports.verification.verify",)
            ) as confined:
                found = confined.result()
            refuse_links(out)
            if "refused" in found:
                raise VerifyError(found["refused"])
            _take_over(verified, found, out)
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
    """The checks themselves, run confined; returns and leaves in ``out`` what :func:`_take_over` reads."""
    verified = Verified(path, kind)
    trust = Trust(*([load_der_x509_certificate(each) for each in given] for given in (signers, authorities)))
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


def _take_over(verified: Verified, found: dict[str, Any], out: Path) -> None:
    """Add to ``verified`` what the confined process returned, and left in ``out``."""
    verified.kind, results = found["kind"], found["results"]
    problems = [FileProblem(**each) for each in results.pop("problems")]
    verified.results = CheckResults(problems, **results)
    if (analysis := out / ANALYSIS).exists():
        verified.analysis = Analysis.from_json(analysis.read_bytes())
    for number, name in enumerate(found["comparisons"]):
        verified.comparisons[name] = Comparison.from_json((out / f"{number}.json").read_bytes())


def verify_against(
    verified: Verified,
    models: Sequence[Path],
    exhibit: Path | None,
    references: Sequence[Path],
) -> None:
    """Check what :func:`verify` read against weights, and repeat it with ``exhibit`` and ``references``.

    Weights are compared without ``models`` too, with those installed: the first one named is to hold the
    model that judged, all may hold the others. A reference is compared with ``exhibit`` only. Adds to
    ``verified``. Raises :class:`~reports.verification.repeated.reanalysis.ReanalysisError` where the work
    cannot be repeated, :class:`~reports.verification.model_weights.ModelFileError` for a model that is not
    there, and :class:`~detector.errors.MediaError`.
    """
    from reports.verification.model_weights import check_model, other_weights
    from reports.verification.repeated.reanalysis import ReanalysisError, reanalyse
    from reports.verification.repeated.recomparison import recompare

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
    """The files that were verified; None of a PDF."""
    if verified.path.is_dir():
        yield Folder(verified.path)
    elif verified.kind == "report":
        yield None
    else:
        with open_zip(verified.path) as archive:
            yield Zip(archive)
