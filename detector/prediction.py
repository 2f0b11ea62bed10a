"""A detector as public benchmarks take one: a path in, a probability out."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from detector.errors import ModelError, NotOpenedError, ReelproofError
from detector.files import ROOT
from detector.process.signals import sigterm_ends
from detector.schema.formatting import N_

UNDECIDED = 0.5
"""What :func:`predict` returns where nothing can be judged."""


def predict(path: str | Path) -> float:
    """Return the probability, 0 to 1, that the file at ``path`` is manipulated or generated.

    Of a video with speech it is the higher one of faces and voices, else the one that applies. It is 0.5
    where nothing can be judged: no face and no speech, or a file that cannot be examined. The default model
    judges with its default parameters, as ``score`` does; nothing is explained.

    The first call starts a process that loads the models once and analyses each file in a confined process of
    its own. It may be called from several threads, which take turns, and from forked or spawned processes,
    each of which starts its own; set ``OMP_NUM_THREADS`` to divide the cores among them.

    Raises :class:`~detector.errors.NotOpenedError` for a path at which there is no readable file, and
    :class:`~detector.errors.ModelError` for a model that cannot be used.
    """
    file = Path(path).absolute()
    if not file.is_file() or not os.access(file, os.R_OK):
        raise NotOpenedError(N_("There is no file to be read at this path. Look for a mistake in it."))
    return probability_of(_server.ask(file))


def probability_of(line: dict[str, Any]) -> float:
    """Return the higher probability of a result line's faces and voices, 0.5 without either."""
    known = [line.get("probability"), (line.get("voice") or {}).get("probability")]
    return max((float(value) for value in known if value is not None), default=UNDECIDED)


class _Server:
    """The process that analyses, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._of_parents: list[subprocess.Popen[str] | None] = []

    def ask(self, file: Path) -> dict[str, Any]:
        """Return the result line of a file; an empty one if the process was killed."""
        with self._lock:
            process = self._process = self._process or _started()
            assert process.stdin is not None and process.stdout is not None
            try:
                print(json.dumps(os.fsencode(file).hex()), file=process.stdin, flush=True)
                answer: dict[str, Any] = json.loads(process.stdout.readline())
            except (OSError, ValueError):  # it was killed; the next file gets a new one
                process.kill()
                answer = {}
            if not answer or "model_error" in answer:
                process.communicate()  # closes the pipes
                self._process = None
        if "model_error" in answer:
            raise ModelError(answer["model_error"])
        return answer

    def forget(self) -> None:
        """Leave the process to the parent from which this one was forked."""
        # The object is kept: without it Python would warn that the process still runs.
        self._of_parents.append(self._process)
        self._lock, self._process = threading.Lock(), None

    def close(self) -> None:
        """End the process, which ends by itself once nothing can ask it any more."""
        if self._process is not None and self._process.stdin is not None:
            self._process.communicate()


_server = _Server()
os.register_at_fork(after_in_child=_server.forget)
atexit.register(_server.close)


def _started() -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", "detector.prediction"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        text=True,
        start_new_session=True,  # Ctrl-C ends the caller, and with that this process
    )


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer each line of ``requests``, a path, with its result line, until they end."""
    from detector.batch.input_files import File
    from detector.batch.results_file import ALONE
    from detector.batch.worker_pool import AnalysisSettings, Work, cores, line_of, prepare
    from detector.sandboxed_engine import limits_of_environment
    from detector.schema.analysis import Parameters

    threads = os.environ.get("OMP_NUM_THREADS", "")
    settings = AnalysisSettings(None, Parameters(), ALONE)
    work = Work(
        settings, limits_of_environment(), int(threads) if threads.isdecimal() else cores(), os.getpid()
    )
    try:
        prepare(settings.models, False)
    except ReelproofError as error:
        print(json.dumps({"model_error": str(error)}), file=answers, flush=True)
        return
    for request in requests:
        path = Path(os.fsdecode(bytes.fromhex(json.loads(request))))
        print(json.dumps(line_of(File(path.name, path, path), work)), file=answers, flush=True)


if __name__ == "__main__":
    # Whatever a library prints must not be taken for an answer.
    with os.fdopen(os.dup(1), "w") as kept, sigterm_ends():
        os.dup2(2, 1)
        serve(sys.stdin, kept)
