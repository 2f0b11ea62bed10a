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
from detector.schema.method import JointRule, refuse_without_others


@dataclass(frozen=True)
class OtherModelNames:
    """Names or paths of the models beside the first one, not yet loaded, and the rule by which all decide."""

    models: Sequence[str] = ()
    rule: JointRule = JointRule.FIRST

    def refuse(self, first: str | None) -> None:
        """Raise before the first file what would otherwise be said of each of them."""
        refuse_without_others(self.rule, self.models)
        if self.models:
            refuse_model_combination(
                load_card(first)[0].name, self.models, lambda one: load_card(one)[0].name
            )


ALONE = OtherModelNames()
"""The first model alone."""


ResultLine = dict[str, object]


def verdict_fields(analysis: Analysis) -> ResultLine:
    """What these lines of an analysis begin with: verdict and figures, and those of other models.

    The sentences of ``Analysis.reason`` are not among them, nor what
    :func:`~detector.schema.analysis.summarise` has beside.
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
            {"model": one.model.name, "verdict": str(one.verdict), "probability": one.probability}
            for one in analysis.others
        ]
        line["joint"] = {"rule": str(analysis.joint.rule), "verdict": str(analysis.joint.verdict)}
    return line


_Name = tuple[str, str, int]  # name, zip, number
_Known = tuple[str, str, int, int, int]  # name, zip, number, bytes, modified
_KINDS = (str, str, int, int, int)
_KEPT = frozenset({"bytes", "modified", "sha256", "zip", "number", "by"})  # of a line, what is not printed
_BEGINNING = b'{"file": '  # of each line: what begins otherwise is not half of one


def run_key(
    model: str | Path | None,
    parameters: Parameters,
    *,
    crops: bool = False,
    purpose: str = "",
    others: OtherModelNames = ALONE,
) -> str:
    """Sixteen hexadecimal digits for everything a line depends on but its file.

    ``purpose`` tells lines of another content from those of ``score``. Raises
    :class:`~detector.errors.ModelError` for a model that is not there.
    """
    name, sha256 = deciding(model)
    # Back ends of full precision agree; one that rounds does not.
    rough = {backends.requested_backend()} & backends.REDUCED_PRECISION
    facts = [
        source_sha256(),
        crops,
        name,
        sha256,
        parameters.model_dump(mode="json"),
        *rough,
        *([purpose] if purpose else []),
        *([[others.rule, *map(deciding, others.models)]] if others.models else []),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def deciding(model: str | Path | None) -> tuple[str, str]:
    """A model's name, and the SHA-256 of all its card decides by."""
    card, weights = load_card(model)
    whole = card.model_copy(update={"second_look": read_second_look(card, weights)})
    return card.name, deciding_sha256(whole)


def read_lines(path: Path, by: str) -> dict[str, ResultLine]:
    """The last whole line of each file in ``path`` that was made in the way ``by`` says.

    By the SHA-256 of the file, or by its name where the line has none.
    """
    found = {}
    with path.open("rb") as lines:
        for text in lines:
            if text.endswith(b"\n") and (line := json.loads(text)).get("by") == by:
                found[str(line.get("sha256") or line["file"])] = line
    return found


class ResultsFile:
    """The lines in ``path``, to look up and to add to; a context manager.

    Half a line at its end, from a run that was cut off, is removed: its file is done again. Raises
    :class:`ParameterError` for a file that holds anything else, for one that another run adds to at
    this moment, and for a device or a pipe, and ``OSError`` where it cannot be written.
    """

    def __init__(self, path: Path, by: str) -> None:
        self.before = 0
        self._by = by
        self._done: set[_Known] = set()
        self._unhashed: set[_Known] = set()  # of these, those of lines without SHA-256
        self._places: dict[str, tuple[int, int]] = {}  # by SHA-256, where in the file its line is
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
        whole = 0
        for text in self._file:
            if not text.endswith(b"\n"):
                if not (text.startswith(_BEGINNING) or _BEGINNING.startswith(text)):
                    raise _other(path)
                break
            place, whole = (whole, len(text)), whole + len(text)
            try:
                line = json.loads(text)
                known = (
                    line["file"],
                    line.get("zip", ""),
                    line.get("number", 1),
                    line.get("bytes", 0),
                    line.get("modified", 0),
                )
                if not all(isinstance(value, kind) for value, kind in zip(known, _KINDS, strict=True)):
                    raise TypeError
            except (ValueError, KeyError, TypeError):
                raise _other(path) from None
            if "error" not in line and line.get("by") == self._by:
                self._done.add(known)
                if sha256 := line.get("sha256"):
                    self._places[str(sha256)] = place
                else:
                    self._unhashed.add(known)
        self._file.truncate(whole)

    def has(self, file: File) -> bool:
        """Whether the same file was scored before in the same way; what could not be is tried again.

        A file with ``sha256`` is known by its bytes, another one by its name, size and time.
        """
        facts = _facts(file)
        if facts is None:
            return False
        self._facts[_name(file)] = facts
        known = *_name(file), *facts
        by_name = self._unhashed if file.sha256 else self._done
        if file.sha256 not in self._places and known not in by_name:
            return False
        del self._facts[_name(file)]
        self.before += 1
        return True

    def line_of(self, sha256: str) -> ResultLine | None:
        """The line, as it was printed, of a file with these bytes; none if there is none."""
        if sha256 not in self._places:
            return None
        place, length = self._places[sha256]
        line: ResultLine = json.loads(os.pread(self._file.fileno(), length, place))
        return {name: value for name, value in line.items() if name not in _KEPT}

    def add(self, file: File, line: ResultLine) -> None:
        """Write the line of a file that :meth:`has` was asked about, as one piece and at once."""
        kept = dict(line)
        facts = self._facts.pop(_name(file), None)
        if facts is not None:
            kept["bytes"], kept["modified"] = facts
        if file.sha256 and facts == _facts(file):  # else it is not known which bytes were analysed
            kept["sha256"] = file.sha256
        if _zip(file):
            kept["zip"] = _zip(file)
        if file.number > 1:
            kept["number"] = file.number
        data = json.dumps(kept | {"by": self._by}).encode() + b"\n"
        if "sha256" in kept and "error" not in kept:
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
    """Bytes and time of change of what was given; none where it is gone."""
    try:
        found = file.source.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _name(file: File) -> _Name:
    return file.name, _zip(file), file.number


def _zip(file: File) -> str:
    return str(file.source) if file.name != str(file.source) else ""
