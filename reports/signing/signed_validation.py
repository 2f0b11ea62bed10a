"""The folder of a validation: its files, signed where there is a key, and their SHA-256."""

from __future__ import annotations

from pathlib import Path

from detector.files import write_atomically
from detector.schema.laboratory.validation import Validation
from reports.bundle.manifest import sums
from reports.file_names import LABORATORY
from reports.render.validation import DOCUMENT, RESULT, validation_files
from reports.signing.keys import SigningKey
from reports.text.translation.languages import DEFAULT

SUMS, SIGNATURE = "sha256sums.txt", "validation.sig"


def write_validation(
    validation: Validation,
    folder: Path,
    key: SigningKey | None = None,
    laboratory: bytes | None = None,
    language_code: str = DEFAULT,
) -> None:
    """Write ``validation.json``, ``validation.html``, ``validation.pdf`` and ``sha256sums.txt``.

    ``laboratory`` is the text of the ``laboratory.json`` that reports quote; own thresholds replace it later,
    so it is not among the sums. ``language_code`` is the language of the report.

    With a ``key`` the PDF is signed, and ``validation.sig`` is a detached signature (CMS) over
    ``validation.json``. Raises :class:`~reports.signing.keys.SigningError` before anything is written.
    """
    files = validation_files(validation, language_code=language_code)
    if key is not None:
        from reports.signing.pdf import sign_pdf  # brings pyHanko

        files[DOCUMENT] = sign_pdf(files[DOCUMENT], key, reason="validation released")
        files[SIGNATURE] = key.sign(files[RESULT])
    else:  # an earlier one's says nothing of this one
        (folder / SIGNATURE).unlink(missing_ok=True)
    beside = {} if laboratory is None else {LABORATORY: laboratory}
    for name, data in {**files, SUMS: sums(files), **beside}.items():
        write_atomically(folder / name, data)
