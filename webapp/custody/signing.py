"""Sign bundles and validations with the configured key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.files import ROOT
from detector.process.signals import environment_of_child
from language.translation import N_, gettext, translated
from reports.signing.keys import SigningError, SigningKey, read_key
from reports.signing.timestamps import authority
from webapp.errors import UserError
from webapp.settings import SettingError, Settings

_TIME_LIMIT = 120  # seconds; signing takes two


def check_signing_key(settings: Settings) -> None:
    """Raise :class:`SettingError` if the configured key cannot sign."""
    try:
        _key(settings)
    except SigningError as problem:
        raise SettingError(f"REELPROOF_SIGNING_KEY: {problem}") from None


@contextmanager
def sign_bundle(
    settings: Settings, files: dict[str, bytes | Path], signed_report: Path
) -> Iterator[tuple[dict[str, bytes | Path], SigningKey | None]]:
    """Yield the files of a bundle with the signed report, and the key for its manifest.

    Without a key, the files stay as they are. The signed report is at ``signed_report`` until the block ends.
    Raises :class:`UserError` if the key cannot sign, for instance because its certificate expired.
    """
    try:
        key = _key(settings)
        if key is None:
            yield files, None
            return
        report = files["report.pdf"]
        assert isinstance(report, Path)
        _sign(settings, report, signed_report)
        yield {**files, "report.pdf": signed_report}, key
    except SigningError as problem:
        raise _signing_error(N_("bundle"), problem) from None
    finally:
        signed_report.unlink(missing_ok=True)


def sign_validation(settings: Settings, folder: Path) -> None:
    """Sign a validation's report and ``validation.json``, if there is a key. Raises :class:`UserError`."""
    from reports.bundle.manifest import sums
    from reports.signing.validation_files import SIGNATURE, SUMS

    report, signed_report, text = (
        folder / name for name in ("validation.pdf", ".signed.pdf", "validation.json")
    )
    try:
        if (key := _key(settings)) is None:
            return
        _sign(settings, report, signed_report)
        signed_report.replace(report)
        (folder / SIGNATURE).write_bytes(key.sign(text.read_bytes()))
    except SigningError as problem:
        raise _signing_error(N_("validation"), problem) from None
    names = ("validation.json", "validation.html", "validation.pdf", SIGNATURE)
    (folder / SUMS).write_bytes(sums({name: (folder / name).read_bytes() for name in names}))


def _signing_error(noun: str, problem: SigningError) -> UserError:
    return UserError(
        500,
        gettext("The %(what)s could not be signed: %(problem)s", what=translated(noun), problem=problem),
        gettext("The operator of Reelproof must provide another key, or unset REELPROOF_SIGNING_KEY."),
    )


def _key(settings: Settings) -> SigningKey | None:
    if settings.signing_key is None:
        return None
    stamper = authority(settings.timestamps) if settings.timestamps else None
    return read_key(settings.signing_key, settings.signing_password_file, stamper)


def _sign(settings: Settings, report: Path, to: Path) -> None:
    """Sign in a process of its own, because WeasyPrint renders the visible part of the signature."""
    command = [sys.executable, "-m", "reports", "sign", str(report), "--out", str(to)]
    command += ["--key", str(settings.signing_key)]
    if settings.timestamps:
        command += ["--timestamp", settings.timestamps]
    if settings.signing_password_file:
        command += ["--password-file", str(settings.signing_password_file)]
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=environment_of_child(),
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise SigningError("it took too long.") from None
    if ended.returncode:
        raise SigningError(ended.stderr.strip().removeprefix("reports: ")[-300:] or "it failed.")
