"""Transfers between worker and object store, in a process of their own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from detector.files import ROOT, hash_file
from detector.process.signals import end_with_named_parent, environment_of_child
from language.translation import gettext
from webapp.errors import DamagedFile, StoreError
from webapp.exhibits.results import refuse_damaged
from webapp.installed_models import service as model_service
from webapp.settings import Settings, read_settings
from webapp.storage.data_folder import Folders

RETRY_FOR = 60.0  # seconds: how long a store may be unreachable
_RETRY_INTERVAL = 3.0
_TICK_INTERVAL = 0.05
_REFUSED, _DAMAGED = 3, 4  # exit statuses with a message; others are accidents


def fetch_inputs(
    settings: Settings, analysis_id: str, sha256: str, to: Path, models: str, tick: Callable[[], None]
) -> Path:
    """Fetch the inputs of an analysis and return the path of the exhibit.

    It is ``to`` unless the data folder has the exhibit. ``models`` are names separated by commas. ``tick`` is
    called a few times a second; an exception in it ends the transfer. Raises :class:`StoreError`, or
    :class:`DamagedFile` for an exhibit with other bytes than were handed in.
    """
    _transfer(settings, tick, "fetch_inputs", analysis_id, sha256, str(to), models)
    return to if to.exists() else Folders.of(settings).exhibit(sha256)


def fetch_exhibit(settings: Settings, sha256: str, to: Path, tick: Callable[[], None]) -> Path:
    """Fetch an exhibit into the folder ``to`` unless the data folder has it; return its path."""
    return fetch_both(settings, sha256, sha256, to, tick)[0]


def fetch_both(
    settings: Settings, exhibit: str, reference: str, to: Path, tick: Callable[[], None]
) -> tuple[Path, Path]:
    """Fetch the two exhibits of a comparison, by SHA-256, as :func:`fetch_exhibit` does."""
    _transfer(settings, tick, "fetch_both", exhibit, reference, str(to))
    folders = Folders.of(settings)
    paths = [to / name if (to / name).exists() else folders.exhibit(name) for name in (exhibit, reference)]
    return paths[0], paths[1]


def put_comparison(settings: Settings, comparison_id: str, tick: Callable[[], None]) -> None:
    """Put the result of a comparison into the store. Raises :class:`StoreError`."""
    _transfer(settings, tick, "put_comparison", comparison_id)


def put_finding(settings: Settings, analysis_id: str, tick: Callable[[], None]) -> None:
    """Put a finding whose pictures follow into the store. Raises :class:`StoreError`."""
    _transfer(settings, tick, "put_finding", analysis_id)


def put_result(settings: Settings, analysis_id: str, sha256: str, tick: Callable[[], None]) -> None:
    """Put the files of an analysis into the store. Raises :class:`StoreError`."""
    _transfer(settings, tick, "put_result", analysis_id, sha256)


def _fetch_inputs(folders: Folders, analysis_id: str, sha256: str, to: str, models: str) -> None:
    _fetch_exhibit(folders, sha256, Path(to))
    for name in models.split(","):
        model_service.fetch_model(folders, name)
    folders.store.fetch(folders.playback(sha256))
    folders.store.fetch_folder(folders.finding(analysis_id), refuse_damaged)
    with contextlib.suppress(DamagedFile):  # the analysis is made again
        folders.store.fetch_folder(folders.result(analysis_id), refuse_damaged)


def _fetch_exhibit(folders: Folders, sha256: str, to: Path) -> None:
    exhibit = folders.exhibit(sha256)
    if exhibit.exists() and hash_file(exhibit)[1] != sha256:
        exhibit.unlink()
    if not exhibit.exists() and not folders.store.fetch(exhibit, sha256, to=to):
        raise StoreError(
            500, gettext("The exhibit is not in the store."), gettext("Upload the same file again.")
        )


def _fetch_both(folders: Folders, exhibit: str, reference: str, to: str) -> None:
    for sha256 in dict.fromkeys((exhibit, reference)):
        _fetch_exhibit(folders, sha256, Path(to, sha256))


def _put_comparison(folders: Folders, comparison_id: str) -> None:
    folders.store.put_folder(folders.comparison(comparison_id))


def _put_finding(folders: Folders, analysis_id: str) -> None:
    folders.store.put_folder(folders.finding(analysis_id))


def _put_result(folders: Folders, analysis_id: str, sha256: str) -> None:
    # The result last: it refers to the other files.
    for path in (folders.preview(sha256), folders.playback(sha256), folders.thumbnail(analysis_id)):
        if path.exists():
            folders.store.put(path, path)
    folders.store.put_folder(folders.result(analysis_id))


def _transfer(settings: Settings, tick: Callable[[], None], *arguments: str) -> None:
    """Run :func:`main` with these arguments in another process, and raise its errors here."""
    assert settings.store is not None
    environment = environment_of_child() | {
        "REELPROOF_DATA": str(settings.data),
        "REELPROOF_STORE": settings.store,
        "REELPROOF_STORE_ENDPOINT": settings.store_endpoint or "",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            while process.poll() is None:
                tick()
                time.sleep(_TICK_INTERVAL)
        except BaseException:
            process.kill()
            raise
        assert process.stdout is not None
        message = process.stdout.read()
    if process.returncode == _DAMAGED:
        raise DamagedFile(message.decode())
    if process.returncode == _REFUSED:
        raise StoreError(*json.loads(message))
    if process.returncode:
        raise StoreError(
            500,
            gettext("The process that was to use the store ended early."),
            gettext("The terminal the worker runs in says why."),
        )


def main(arguments: list[str], patience: float = RETRY_FOR) -> int:
    """Do the named transfer, repeated for ``patience`` seconds while the store cannot be reached."""
    end_with_named_parent()
    folders = Folders.of(read_settings())
    transfers: dict[str, Callable[..., None]] = {
        "fetch_inputs": _fetch_inputs,
        "fetch_both": _fetch_both,
        "put_finding": _put_finding,
        "put_result": _put_result,
        "put_comparison": _put_comparison,
    }
    until = time.monotonic() + patience
    while True:
        try:
            transfers[arguments[0]](folders, *arguments[1:])
            return 0
        except DamagedFile as error:
            sys.stdout.write(error.name)
            return _DAMAGED
        except StoreError as error:
            if error.status != 503 or time.monotonic() >= until:
                json.dump([error.status, error.error, error.remedy], sys.stdout)
                return _REFUSED
        time.sleep(_RETRY_INTERVAL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
