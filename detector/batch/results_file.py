"""Result lines, and the file to which ``score --out`` appends them and from which it resumes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from detector.backends import selection as backends
from detector.batch.input_files import File
from detector.environment import source_sha256
from detector.errors import ParameterError
from detector.models.card import deciding_sha256
from detector.models.loaded import refuse_model_combination
from detector.models.model_files import load_card, read_second_look
from detector.schema.analysis import Analysis, Parameters
from detector.schema.causes.failures import brief_json, cause_of
from detector.schema.joint import JointRule, refuse_without_others


@dataclass(frozen=True)
class OtherModelNames:
    """Names or paths of further models, not yet loaded, and the rule by which all models decide."""

    models: Sequence[str] = ()
    rule: JointRule = JointRule.FIRST

    def refuse(self, first: str | None) -> None:
        """Raise errors about the models before the first file is analysed."""
        refuse_without_others(self.rule, self.models)
        if self.models:
            refuse_model_combination(
                load_card(first)[0].name, self.models, lambda model: load_card(model)[0].name
            )


ALONE = OtherModelNames()
"""The first model alone."""


ResultLine = dict[str, object]


def error_line(name: str, message: str) -> ResultLine:
    """Return the line of a file that was not analysed: the message in English, and as a cause."""
    return {"file": name, "error": message, "cause": json.loads(brief_json(cause_of(message)))}


def verdict_fields(analysis: Analysis) -> ResultLine:
    """Return the first fields of a result line: verdicts and scores of all models.

    They include neither the sentences of ``Analysis.reason`` nor the further fields of
    :func:`~detector.schema.summary.summarise`.
    """
    line: ResultLine = {
        "verdict": str(analysis.verdict),
        "probability": analysis.probability,
        "stability": analysis.stability,
        "faces": len(analysis.persons),
        "duration": analysis.media.duration,
    }
    if analysis.joint:
        line["others"] = [
            {"model": other.model.name, "verdict": str(other.verdict), "probability": other.probability}
            for other in analysis.others
        ]
        line["joint"] = {"rule": str(analysis.joint.rule), "verdict": str(analysis.joint.verdict)}
    return line


_Name = tuple[str, str, int]  # name, zip, number
_Known = tuple[str, str, int, int, int]  # name, zip, number, bytes, modified
_KINDS = (str, str, int, int, int)
_KEPT = frozenset(
    {"bytes", "modified", "sha256", "zip", "number", "by"}
)  # fields of a line that are not printed
_BEGINNING = b'{"file": '  # every line starts like this; other data is no partial line


def run_key(
    model: str | Path | None,
    parameters: Parameters,
    *,
    crops: bool = False,
    purpose: str = "",
    others: OtherModelNames = ALONE,
) -> str:
    """Return sixteen hexadecimal digits that identify all inputs of a line except its file.

    ``purpose`` distinguishes lines with other content from those of ``score``. Raises
    :class:`~detector.errors.ModelError` for a missing model.
    """
    name, sha256 = deciding_identity(model)
    # Back ends of full precision agree, those that round do not.
    rough = {backends.requested_backend()} & backends.REDUCED_PRECISION
    facts = [
        source_sha256(),
        crops,
        name,
        sha256,
        parameters.model_dump(mode="json"),
        *rough,
        *([purpose] if purpose else []),
        *([[others.rule, *map(deciding_identity, others.models)]] if others.models else []),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def deciding_identity(model: str | Path | None) -> tuple[str, str]:
    """Return a model's name, and the SHA-256 of all parts of its card that influence results."""
    card, weights = load_card(model)
    complete = card.model_copy(update={"second_look": read_second_look(card, weights)})
    return card.name, deciding_sha256(complete)


def read_lines(path: Path, by: str) -> dict[str, ResultLine]:
    """Return the last complete line of each file in ``path`` that was made with the run key ``by``.

    Keys are the SHA-256 of the file, or its name if the line has none.
    """
    lines = {}
    with path.open("rb") as file:
        for text in file:
            if text.endswith(b"\n") and (line := json.loads(text)).get("by") == by:
                lines[str(line.get("sha256") or line["file"])] = line
    return lines


class ResultsFile:
    """The result lines in ``path``, for look-up and appending; a context manager.

    A partial line at the end, from an interrupted run, is removed and its file is analysed again. Raises
    :class:`ParameterError` for a file with other content, one that another run writes to, a device or a pipe,
    and ``OSError`` if it cannot be written.
    """

    def __init__(self, path: Path, by: str) -> None:
        self.before = 0
        self._by = by
        self._done: set[_Known] = set()
        self._unhashed: set[_Known] = set()  # those of lines without SHA-256
        self._places: dict[str, tuple[int, int]] = {}  # offset of the line in the file by SHA-256
        self._facts: dict[_Name, tuple[int, int]] = {}
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ParameterError(
                f"{path} is a device or a pipe, and lines are kept to be read again. Name a file with --out, "
                "or leave it out: lines are printed as well."
            )
        self._file = path.open("a+b")
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ParameterError(
                    f"{path}: another run adds to it. Wait for that, or name another."
                ) from None
            self._read(path)
        except BaseException:
            self._file.close()
            raise

    def _read(self, path: Path) -> None:
        self._file.seek(0)
        length = 0
        for text in self._file:
            if not text.endswith(b"\n"):
                if not (text.startswith(_BEGINNING) or _BEGINNING.startswith(text)):
                    raise _other(path)
                break
            place, length = (length, len(text)), length + len(text)
            try:
                line = json.loads(text)
                key = (
                    line["file"],
                    line.get("zip", ""),
                    line.get("number", 1),
                    line.get("bytes", 0),
                    line.get("modified", 0),
                )
                if not all(isinstance(value, kind) for value, kind in zip(key, _KINDS, strict=True)):
                    raise TypeError
            except (ValueError, KeyError, TypeError):
                raise _other(path) from None
            if "error" not in line and line.get("by") == self._by:
                self._done.add(key)
                if sha256 := line.get("sha256"):
                    self._places[str(sha256)] = place
                else:
                    self._unhashed.add(key)
        self._file.truncate(length)

    def has(self, file: File) -> bool:
        """Check whether the same file was scored in the same way before; failures are tried again.

        A file is identified by ``sha256``, or by name, size and time without one.
        """
        facts = _facts(file)
        if facts is None:
            return False
        self._facts[_name(file)] = facts
        key = *_name(file), *facts
        by_name = self._unhashed if file.sha256 else self._done
        if file.sha256 not in self._places and key not in by_name:
            return False
        del self._facts[_name(file)]
        self.before += 1
        return True

    def line_of(self, sha256: str) -> ResultLine | None:
        """Return the printed line of a file with these bytes, if there is one."""
        if sha256 not in self._places:
            return None
        place, length = self._places[sha256]
        line: ResultLine = json.loads(os.pread(self._file.fileno(), length, place))
        return {name: value for name, value in line.items() if name not in _KEPT}

    def add(self, file: File, line: ResultLine) -> None:
        """Append the line of a file that :meth:`has` was asked about, in one write."""
        stored = dict(line)
        facts = self._facts.pop(_name(file), None)
        if facts is not None:
            stored["bytes"], stored["modified"] = facts
        if file.sha256 and facts == _facts(file):  # otherwise it is unknown which bytes were analysed
            stored["sha256"] = file.sha256
        if _zip(file):
            stored["zip"] = _zip(file)
        if file.number > 1:
            stored["number"] = file.number
        data = json.dumps(stored | {"by": self._by}).encode() + b"\n"
        if "sha256" in stored and "error" not in stored:
            self._places[file.sha256] = self._file.seek(0, os.SEEK_END), len(data)
        while data:
            data = data[os.write(self._file.fileno(), data) :]

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _other(path: Path) -> ParameterError:
    return ParameterError(
        f"{path} holds something else than the lines of `score`. Name another file with --out."
    )


def _facts(file: File) -> tuple[int, int] | None:
    """Return size and modification time of a given file; empty if it is gone."""
    try:
        status = file.source.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _name(file: File) -> _Name:
    return file.name, _zip(file), file.number


def _zip(file: File) -> str:
    return str(file.source) if file.name != str(file.source) else ""
