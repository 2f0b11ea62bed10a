"""``python -m reports sign PATH --key KEY.p12``: sign a report, or the folder of a result."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from detector.files import write_atomically
from reports.file_names import CASE, CHECKSUMS, CUSTODY, MANIFEST, REPORT_PDF

if TYPE_CHECKING:
    from reports.signing.keys import SigningKey


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="report as PDF, or a result's folder: report and manifest"
    )
    parser.add_argument(
        "--key", type=Path, required=True, metavar="KEY.p12", help="PKCS#12 file with key and certificate"
    )
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with the key's password in its first line"
    )
    parser.add_argument(
        "--timestamp",
        metavar="URL",
        help="URL of a timestamp authority (RFC 3161); without it there is no timestamp",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why it is signed, shown in the PDF")
    parser.add_argument("--place", default="", metavar="TEXT", help="where it is signed, shown in the PDF")
    parser.add_argument(
        "--out", type=Path, metavar="SIGNED.pdf", help="file to write (default: NAME-signed.pdf beside it)"
    )


def run(options: argparse.Namespace) -> None:
    """Sign, and print where the result is.

    Raise :class:`~reports.signing.keys.SigningError` if this key cannot sign this file or the destination is
    invalid.
    """
    # pyHanko takes a second to load; other commands go without.
    from reports.signing.keys import SigningError, read_key
    from reports.signing.pdf_signature import sign_pdf
    from reports.signing.timestamps import authority

    path: Path = options.path
    if not path.exists():
        raise SigningError(f"{path}: there is no such file or folder.")
    stamper = authority(options.timestamp) if options.timestamp else None
    key = read_key(options.key, options.password_file, stamper)
    if path.is_dir():
        if options.out:
            raise SigningError("A folder is signed where it is: leave out --out.")
        _sign_folder(path, key, options.reason, options.place)
        print(f"{path / REPORT_PDF} and the manifest are signed by {key.name}.")
    else:
        out = options.out or path.with_name(f"{path.stem}-signed.pdf")
        if not out.parent.is_dir():
            raise SigningError(f"{out}: there is no such folder. Make it first.")
        write_atomically(out, sign_pdf(path.read_bytes(), key, reason=options.reason, place=options.place))
        print(f"{out} is signed by {key.name}.")
    if key.self_signed:
        print(
            "The certificate is self-signed: hand it to whoever is to check the signature another way. "
            f"Its SHA-256 is {key.certificate_sha256}."
        )


def _sign_folder(folder: Path, key: SigningKey, reason: str, place: str) -> None:
    """Sign report and manifest of an unchanged result or unpacked bundle."""
    from reports.bundle.manifest import entry_of, manifest_files, read_manifest
    from reports.bundle.review_bundle import sums_of
    from reports.signing.keys import SigningError
    from reports.signing.pdf_signature import sign_pdf
    from verification.verify import verify

    results = verify(folder).results
    if results.problems:
        raise SigningError(f"Nothing was signed: {folder} is not as it was made. {results.problems[0]}.")
    manifest = read_manifest((folder / MANIFEST).read_bytes())
    changed = {REPORT_PDF: sign_pdf((folder / REPORT_PDF).read_bytes(), key, reason=reason, place=place)}
    entries = {entry.path: entry for entry in manifest.files} | {
        REPORT_PDF: entry_of(REPORT_PDF, changed[REPORT_PDF])
    }
    if entries.pop(CHECKSUMS, None):
        changed[CHECKSUMS] = sums_of(entries.values())
        entries[CHECKSUMS] = entry_of(CHECKSUMS, changed[CHECKSUMS])
    case, custody = ((folder / name).read_bytes() if name in entries else None for name in (CASE, CUSTODY))
    whole = manifest.model_copy(update={"files": tuple(entries.values())})
    own = manifest_files(whole, case=case, custody=custody, signer=key)
    # All is signed before anything is written: an authority may give no timestamp.
    for name, data in {**changed, **dict(reversed(own.items()))}.items():
        write_atomically(folder / name, data)
