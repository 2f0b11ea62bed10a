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
from reports.language.translation import gettext
from webapp.analyses.results import refuse_damaged
from webapp.errors import DamagedFile, StoreError
from webapp.models import service as model_service
from webapp.settings import Settings, read_settings
from webapp.storage.data_folder import Folders

BACK = 60.0  # seconds in which a store that cannot be reached should be there again
_PAUSE = 3.0
_LOOK_EVERY = 0.05
_REFUSED, _DAMAGED = 3, 4  # exit statuses that come with words; others are accidents


def fetch_inputs(
    settings: Settings, analysis_id: str, sha256: str, to: Path, model: str, tick: Callable[[], None]
) -> Path:
    """Have in the data folder what an analysis needs of the store; where the exhibit is now.

    ``to`` is where it goes if the data folder does not have it. ``tick`` is called a few times a second;
    what it raises ends this. Raises :class:`StoreError`, or :class:`DamagedFile` for an exhibit that is not
    what was handed in.
    """
    _in_own_process(settings, tick, "fetch_inputs", analysis_id, sha256, str(to), model)
    return to if to.exists() else Folders.of(settings).exhibit(sha256)


def fetch_exhibit(settings: Settings, sha256: str, to: Path, tick: Callable[[], None]) -> Path:
    """Where an exhibit lies: below ``to`` unless the data folder has it. Raises as :func:`fetch_inputs`."""
    return fetch_both(settings, sha256, sha256, to, tick)[0]


def fetch_both(
    settings: Settings, exhibit: str, reference: str, to: Path, tick: Callable[[], None]
) -> tuple[Path, Path]:
    """Where the two exhibits of a comparison lie, by SHA-256: below ``to`` unless the data folder has them.

    Raises as :func:`fetch_inputs` does.
    """
    _in_own_process(settings, tick, "fetch_both", exhibit, reference, str(to))
    folders = Folders.of(settings)
    found = [to / each if (to / each).exists() else folders.exhibit(each) for each in (exhibit, reference)]
    return found[0], found[1]


def put_comparison(settings: Settings, comparison_id: str, tick: Callable[[], None]) -> None:
    """Put the result of a comparison into the store. Raises :class:`StoreError`."""
    _in_own_process(settings, tick, "put_comparison", comparison_id)


def put_result(settings: Settings, analysis_id: str, sha256: str, tick: Callable[[], None]) -> None:
    """Put what an analysis made into the store. Raises :class:`StoreError`."""
    _in_own_process(settings, tick, "put_result", analysis_id, sha256)


def _fetch_inputs(folders: Folders, analysis_id: str, sha256: str, to: str, model: str) -> None:
    _fetch_exhibit(folders, sha256, Path(to))
    for name in model.split(","):  # the first one and others beside it; a name has no comma
        model_service.fetch_model(folders, name)
    folders.store.fetch(folders.playback(sha256))
    with contextlib.suppress(DamagedFile):  # then it is made again
        folders.store.fetch_folder(folders.result(analysis_id), refuse_damaged)


def _fetch_exhibit(folders: Folders, sha256: str, to: Path) -> None:
    exhibit = folders.exhibit(sha256)
    if exhibit.exists() and hash_file(exhibit)[1] != sha256:
        exhibit.unlink()
    if not exhibit.exists() and not folders.store.fetch(exhibit, sha256, to=to):
        raise StoreError(
            500, gettext("The exhibit is not in the store."), gettext("Hand the same file in again.")
        )


def _fetch_both(folders: Folders, exhibit: str, reference: str, to: str) -> None:
    for sha256 in dict.fromkeys((exhibit, reference)):
        _fetch_exhibit(folders, sha256, Path(to, sha256))


def _put_comparison(folders: Folders, comparison_id: str) -> None:
    folders.store.put_folder(folders.comparison(comparison_id))


def _put_result(folders: Folders, analysis_id: str, sha256: str) -> None:
    # Who sees what was decided, or a result, must find what it speaks of.
    for path in (folders.preview(sha256), folders.playback(sha256), folders.thumbnail(analysis_id)):
        if path.exists():
            folders.store.put(path, path)
    folders.store.put_folder(folders.result(analysis_id))


def _in_own_process(settings: Settings, tick: Callable[[], None], *arguments: str) -> None:
    """Run :func:`main` with these arguments in another process; its refusals are raised here."""
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
                time.sleep(_LOOK_EVERY)
        except BaseException:
            process.kill()
            raise
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode == _DAMAGED:
        raise DamagedFile(said.decode())
    if process.returncode == _REFUSED:
        raise StoreError(*json.loads(said))
    if process.returncode:
        raise StoreError(
            500,
            gettext("The process that was to use the store ended early."),
            gettext("The terminal the worker runs in says why."),
        )


def main(arguments: list[str], patience: float = BACK) -> int:
    """Do the transfer that is named first; tried again for ``patience`` seconds without a reachable store."""
    end_with_named_parent()
    folders = Folders.of(read_settings())
    does: dict[str, Callable[..., None]] = {
        "fetch_inputs": _fetch_inputs,
        "fetch_both": _fetch_both,
        "put_result": _put_result,
        "put_comparison": _put_comparison,
    }
    until = time.monotonic() + patience
    while True:
        try:
            does[arguments[0]](folders, *arguments[1:])
            return 0
        except DamagedFile as problem:
            sys.stdout.write(problem.name)
            return _DAMAGED
        except StoreError as problem:
            if problem.status != 503 or time.monotonic() >= until:
                json.dump([problem.status, problem.error, problem.remedy], sys.stdout)
                return _REFUSED
        time.sleep(_PAUSE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
