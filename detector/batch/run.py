"""Run ``python -m detector score``: many files, one result line for each."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from detector.batch.input_files import LINKED_FOLDER, File, InputFiles
from detector.batch.results_file import ALONE, OtherModelNames, ResultLine, ResultsFile, run_key
from detector.errors import ParameterError
from detector.files import hash_file
from detector.schema.analysis import Analysis, Parameters
from detector.schema.formatting import count_noun

_MOST_ENDINGS = 8  # maximum number of extensions listed


@dataclass
class BatchRun:
    """One run over files, folders and zip archives.

    ``workers`` files are analysed at a time (default: one per core); ``crops`` are scored in this process.
    Lines are also appended to ``out``, if given, and files with a line in it are skipped. A file whose bytes
    have a line under another name gets a line without a new analysis. With ``explain`` heatmaps are computed,
    and lines have the figures of their checks.
    """

    given: Sequence[Path]
    model: str | None
    parameters: Parameters
    crops: bool = False
    workers: int | None = None
    out: Path | None = None
    others: OtherModelNames = ALONE
    explain: bool = False
    _left_out: dict[str, int] = field(default_factory=dict)
    _before: int = 0
    _taken_over: int = 0

    def lines(self) -> Iterator[ResultLine]:
        """Yield lines as they finish, each stored first.

        Raises :class:`~detector.errors.ModelError` and :class:`ParameterError` before the first line.
        """
        if self.workers is not None and self.workers < 1:
            raise ParameterError(f"--workers {self.workers}: at least one file is analysed at a time.")
        if self.crops and self.others.models:
            raise ParameterError("--also: crops are judged by one model. Run the command once for each.")
        if self.crops and self.explain:
            raise ParameterError("--explain: crops have no heatmaps. Leave it out.")
        self.others.refuse(self.model)
        with contextlib.ExitStack() as stack:
            results_file = None
            if self.out is not None:
                by = run_key(
                    self.model,
                    self.parameters,
                    crops=self.crops,
                    purpose="explained" if self.explain else "",
                    others=self.others,
                )
                results_file = stack.enter_context(ResultsFile(self.out, by))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            input_files = InputFiles(self.given, folder, only_images=self.crops)
            taken_over: list[ResultLine] = []
            new = iter(input_files) if results_file is None else _new(input_files, results_file, taken_over)
            results = stack.enter_context(contextlib.closing(self._scored(new)))
            for file, line in results:
                if results_file is not None:
                    results_file.add(file, line)
                yield from self._drained(taken_over)
                yield line
            yield from self._drained(taken_over)
            self._left_out = dict(input_files.left_out.most_common())
            self._before = results_file.before if results_file is not None else 0

    def _scored(self, files: Iterator[File]) -> Generator[tuple[File, ResultLine]]:
        # Imported late: crops need torch in this process, which must not be loaded before workers are forked.
        if self.crops:
            from detector.batch.crops import score_crops

            return score_crops(files, self.model, self.parameters)
        from detector.batch.worker_pool import score_files

        more = checked_peaks if self.explain else None
        return score_files(
            files, self.model, self.parameters, self.workers, more, others=self.others, explain=self.explain
        )

    def _drained(self, lines: list[ResultLine]) -> Iterator[ResultLine]:
        self._taken_over += len(lines)
        while lines:
            yield lines.pop(0)

    def remarks(self) -> list[str]:
        """Return remarks on the whole run, one sentence each."""
        remarks = []
        if self._before:
            remarks.append(f"{count_noun(self._before, 'file')} done before, by {self.out}.")
        if self._taken_over:
            count = count_noun(self._taken_over, "file")
            remarks.append(f"{count} known by their bytes from other names; their results were taken over.")
        if self._left_out:
            descriptions = [_endings(ending, number) for ending, number in self._left_out.items()]
            if len(descriptions) > _MOST_ENDINGS:
                descriptions[_MOST_ENDINGS:] = ["others"]
            total = sum(self._left_out.values())
            remarks.append(
                f"{total:,} left out of folders and zips: {', '.join(descriptions)}. "
                f"{'Photos' if self.crops else 'Videos, photos'} and zips are taken from folders, "
                "photos alone from zips."
            )
        return remarks


def checked_peaks(analysis: Analysis) -> ResultLine:
    """Return the peaks of all segments with the checks of their heatmaps, as fields of a line."""
    return {
        "peaks": [
            {
                "segment": segment.id,
                "time": peak.time,
                "probability": peak.probability,
                "check": peak.check and peak.check.model_dump(mode="json"),
            }
            for segment in analysis.segments
            for peak in segment.peaks
        ]
    }


def _new(input_files: InputFiles, results_file: ResultsFile, taken_over: list[ResultLine]) -> Iterator[File]:
    """Hash files and yield those to analyse; store lines of files known by their bytes."""
    for file in input_files:
        if file.error:
            yield file
            continue
        is_done = results_file.has(file)
        if not is_done:
            with contextlib.suppress(OSError):  # the analysis reports the error
                file = replace(file, sha256=hash_file(file.path)[1])  # noqa: PLW2901
            line = results_file.line_of(file.sha256)
            if line is None:
                yield file
                continue
            line |= {"file": file.name}
            results_file.add(file, line)
            taken_over.append(line)
        if file.unpacked:
            file.path.unlink(missing_ok=True)


def _endings(ending: str, number: int) -> str:
    """Describe a number of files with one extension, or of folders."""
    return count_noun(number, ending) if ending == LINKED_FOLDER else f"{number:,} {ending}"
