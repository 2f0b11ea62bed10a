"""Analyse videos and photographs as they arrive in a folder: ``python -m detector watch``."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from detector.batch.results_file import ResultLine, deciding_identity
from detector.errors import MediaError, NotOpenedError, ParameterError, ReelproofError, last_line
from detector.files import append_ending, hash_file, temporary_folder
from detector.sandbox import CrashError, UnexpectedError
from detector.sandboxed_engine import WriteResult, analyze_confined
from detector.schema.analysis import Analysis, Parameters
from detector.verdict.finding import finding_of

LOG = "watched.jsonl"
LOOK_EVERY = 2.0
"""Seconds between two looks at the folder."""
STILL_FOR = 4.0
"""Seconds for which size and time of a file must not have changed before it is taken to be whole."""
OPENED_EVERY = 30.0
"""Seconds between two tries to read a file that cannot be read."""

# Earlier versions stored lines of such files without "again", also of files moved meanwhile.
_NOT_OPENED = "The file cannot be opened:"

# Names that programs give to unfinished files.
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".filepart")


class _Stopped(Exception):
    """The watch is to end."""


class _Changed(Exception):
    """The analysed file is not the one that was hashed."""


@dataclass
class _Waiting:
    size: int
    changed: int
    since: float


@dataclass
class Watch:
    """One watched folder."""

    folder: Path
    out: Path
    write: WriteResult
    parameters: Parameters | None = None
    model: str | None = None
    explain: bool = False
    stopping: Callable[[], bool] = lambda: False
    get_ready: Callable[[], None] | None = None  # further arguments of ``write``
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    warn: Callable[[str], None] = lambda _: None
    _waiting: dict[Path, _Waiting] = field(default_factory=dict)
    _seen: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _unread: set[Path] = field(default_factory=set)  # files reported as unreadable
    _done: set[str] = field(default_factory=set)
    _name: str = ""  # run key of the model
    _by: str = ""
    _away: bool = False  # whether the folder was unreadable at the last scan
    _unwritten: str = ""  # log lines that wait because the disk is full

    def __post_init__(self) -> None:
        self.folder, self.out = self.folder.absolute(), self.out.absolute()
        if not self.folder.is_dir():
            raise ParameterError(f"{self.folder} is no folder. Name the one in which files arrive.")
        if self.out == self.folder:
            raise ParameterError("Results cannot go where files arrive. Name another folder with --out.")
        self.out.mkdir(parents=True, exist_ok=True)

    def lines(self, *, once: bool = False) -> Iterator[ResultLine]:
        """Analyse files when they stop changing, and yield a line for each; with ``once``, only present
        files.

        Ends soon after ``stopping`` returns True, without traces of an unfinished analysis. Raises
        :class:`ParameterError` if another watch writes to the same results folder.
        """
        self._name, sha256 = deciding_identity(self.model)
        key: list[object] = [self._name, sha256, (self.parameters or Parameters()).model_dump(mode="json")]
        if self.explain:
            key.append("explained")
        self._by = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
        self._listed()  # report an unreadable folder at once
        with self._alone():
            self._done = self._read_log()
            while not self.stopping():
                for path in self._whole():
                    try:
                        line = self._deal_with(path)
                    except _Stopped:
                        return
                    if line is not None:
                        yield line
                    if self.stopping():
                        return
                if once and self._waiting.keys() <= self._unread:
                    return
                self.sleep(LOOK_EVERY)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Lock the results folder against other watches."""
        with (self.out / LOG).open("ab") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ParameterError(
                    f"{self.out}: another watch writes its results there. Wait for that, or name another "
                    "folder with --out."
                ) from None
            except OSError:
                pass  # a network share without locks cannot tell whether another watch runs
            yield

    def _whole(self) -> list[Path]:
        """Return files that have stopped changing and are not done, in order of name."""
        now, ready, present = self.clock(), [], set()
        try:
            entries = self._listed()
        except OSError as problem:  # such as a share that is temporarily unavailable
            if not self._away:
                self.warn(f"{self.folder} cannot be read: {problem.strerror}. Looking for it on and on.")
            self._away = True
            return []
        self._away = False
        for entry in entries:
            path = self.folder / entry.name
            facts = _facts(entry)
            if facts is None:
                continue
            present.add(path)
            if self._seen.get(path) == facts:
                continue
            waiting = self._waiting.get(path)
            if waiting is None or (waiting.size, waiting.changed) != facts:
                self._waiting[path] = _Waiting(*facts, now)
            elif now - waiting.since >= (OPENED_EVERY if path in self._unread else STILL_FOR):
                ready.append(path)
        for gone in set(self._waiting) - present:
            del self._waiting[gone]
        self._seen = {path: facts for path, facts in self._seen.items() if path in present}
        self._unread &= present
        return ready

    def _listed(self) -> list[os.DirEntry[str]]:
        with os.scandir(self.folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)

    def _deal_with(self, path: Path) -> ResultLine | None:
        """Analyse one file; None if it is gone or already done."""
        waiting = self._waiting.pop(path)
        self._seen[path] = (waiting.size, waiting.changed)
        started = time.monotonic()
        try:
            _, sha256 = hash_file(path)
        except OSError as problem:
            return self._not_read(path, problem)
        self._unread.discard(path)
        if sha256 in self._done:
            return None
        line: ResultLine = {"file": path.name, "sha256": sha256, "model": self._name, "by": self._by}
        try:
            line |= self._outcome(path, sha256)
        except _Changed:  # a stalled copy continued
            del self._seen[path]
            self._waiting[path] = replace(waiting, since=self.clock())
            return None
        if "error" in line and self._gone(path):
            return None
        line["seconds"] = round(time.monotonic() - started, 3)
        if not line.get("again"):
            self._done.add(str(line["sha256"]))
        self._unwritten += json.dumps(line) + "\n"  # ASCII, because names may not be valid UTF-8
        try:
            with (self.out / LOG).open("a", encoding="utf-8") as log:
                log.write(self._unwritten)
                log.flush()
                os.fsync(log.fileno())
        except OSError:  # it may end within a line, so the next attempt starts a new one
            self._unwritten = "\n" + self._unwritten.lstrip("\n")
        else:
            self._unwritten = ""
        return line

    def _not_read(self, path: Path, problem: OSError) -> ResultLine | None:
        """Return the line of an unreadable file, once; it may become readable later."""
        if self._gone(path):
            return None
        del self._seen[path]
        if path in self._unread:
            return None
        self._unread.add(path)
        return {"file": path.name, "error": f"{_NOT_OPENED} {problem.strerror}.", "again": True}

    def _outcome(self, path: Path, sha256: str) -> ResultLine:
        """Return the result or the error of a file, and whether it is tried ``again``."""
        try:
            analysis, place = self._analyse(path, sha256)
        except ReelproofError as problem:
            if isinstance(problem, MediaError | CrashError) and not isinstance(problem, NotOpenedError):
                return {"error": str(problem)}
            return {"error": str(problem), "again": True}
        except UnexpectedError as problem:
            return {"error": f"An error nobody foresaw: {last_line(problem)}", "again": True}
        except OSError as problem:  # such as a full disk, which may have room for the next file
            return {"error": f"The result cannot be written: {problem.strerror or problem}.", "again": True}
        return {
            "verdict": str(analysis.verdict),
            "reason": analysis.reason,
            "probability": analysis.probability,
            "segments": len(finding_of(analysis).flagged),
            "result": place.name,
        }

    def _gone(self, path: Path) -> bool:
        """Check whether the file is gone, for example moved; it is new if it comes back."""
        if os.path.exists(path):  # unlike Path.exists it returns False for any error of the share
            return False
        del self._seen[path]
        return True

    def _analyse(self, path: Path, sha256: str) -> tuple[Analysis, Path]:
        place = self.out / path.name
        if place.exists():  # another file had this name before
            place = self.out / append_ending(path.name, f"-{sha256[:12]}")
        if place.exists():  # it was analysed with another model or other parameters
            place = self.out / append_ending(path.name, f"-{sha256[:12]}-{self._by}")
        # Written beside its place and renamed, so that an interruption leaves no incomplete result.
        with temporary_folder(".watch-", self.out, self.out) as aside:
            result = Path(aside, "result")
            result.mkdir()
            analysis = analyze_confined(
                path,
                result,
                parameters=self.parameters,
                model=self.model,
                write=self.write,
                get_ready=self.get_ready,
                progress=self._look_up,
                explain=self.explain,
            )
            if analysis.media.sha256 != sha256:
                raise _Changed
            result.rename(place)
        return analysis, place

    def _look_up(self, _stage: str, _fraction: float) -> None:
        if self.stopping():
            raise _Stopped

    def _read_log(self) -> set[str]:
        """Read the hashes of finished files; a removed result is made again."""
        try:
            text = (self.out / LOG).read_text(encoding="utf-8")
        except FileNotFoundError:
            return set()
        finished = set()
        for entry in text.splitlines():
            try:
                line = json.loads(entry)
                # Lines of earlier versions have no run key.
                if self._holds(line) and line.get("by", self._by) == self._by:
                    finished.add(str(line["sha256"]))
            except (ValueError, KeyError, TypeError):
                continue  # partial line after a power failure: the file is analysed again
        if text and not text.endswith("\n"):
            with (self.out / LOG).open("a", encoding="utf-8") as log:
                log.write("\n")
        return finished

    def _holds(self, line: ResultLine) -> bool:
        """Check whether a log line says that its file is done."""
        if line.get("again") or str(line.get("error", "")).startswith(_NOT_OPENED):
            return False
        return "result" not in line or (self.out / str(line["result"]) / "analysis.json").is_file()


def _facts(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    """Return size and modification time of a file; None for links, folders and unfinished files."""
    if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
        return None
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return (facts.st_size, facts.st_mtime_ns) if stat.S_ISREG(facts.st_mode) else None
