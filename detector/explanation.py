"""Explain a finding once it stands: heatmaps, their checks and film strips."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from detector.media.reader import MediaReader
from detector.progress import EndingReport, ReportShare
from detector.schema.analysis import Analysis
from detector.segments.explained_peaks import Explainable, explain_peaks
from detector.segments.face_strips import with_strips
from detector.verdict.judged_persons import flagged_segments
from detector.voice.examine import ExplainVoice

log = logging.getLogger(__name__)

_VOICE_SHARE = 0.2  # of the progress, where faces are explained as well


@dataclass
class Explanation:
    """Explains the segments of one exhibit.

    ``models`` are those of faces, the primary model first; frames are read again from ``reader``, which
    ``resources`` closes. ``voice`` explains the segments of voices. Pictures are written below ``images``,
    if given.
    """

    images: Path | None
    models: Sequence[Explainable] = ()
    reader: MediaReader | None = None
    voice: ExplainVoice | None = None
    resources: ExitStack = field(default_factory=ExitStack)

    def __bool__(self) -> bool:
        """Return whether there is anything to explain."""
        return self.voice is not None or any(model.candidates for model in self.models)

    def complete(self, analysis: Analysis, progress: ReportShare) -> Analysis:
        """Return the analysis with peaks, maps and film strips; nothing else of it changes.

        An error that nobody foresaw costs the explanation and not the finding: then the analysis is returned
        as it is, marked as not explained. Raises what ``progress`` raises.
        """
        report = EndingReport(progress)
        try:
            return self._completed(analysis, report)
        except Exception as problem:
            if problem is report.ending:
                raise
            log.error("the findings could not be explained", exc_info=problem)
            self._remove_pictures(analysis)
            return analysis.model_copy(update={"explained": False})

    def _completed(self, analysis: Analysis, progress: ReportShare) -> Analysis:
        updates: dict[str, object] = {"explained": True}
        begin = 0.0
        if self.voice is not None:
            begin = _VOICE_SHARE if any(model.candidates for model in self.models) else 1.0
            updates["voice"] = self.voice(lambda share: progress(begin * share))
            self.voice = None  # releases the network
        if self.reader is not None and self.models:
            first, *others = self.models
            seed, images = analysis.parameters.seed, self.images
            segments = explain_peaks(
                first.candidates,
                self.reader,
                first.scorer,
                images,
                seed,
                lambda share: progress(begin + (1 - begin) * share),
            )
            analysis = analysis.model_copy(update={"segments": segments})
            flagged = flagged_segments(analysis.persons, segments)
            analysis = with_strips(analysis, flagged, self.reader, images)
            updates["others"] = tuple(
                other.model_copy(
                    update={
                        "segments": explain_peaks(
                            model.candidates,
                            self.reader,
                            model.scorer,
                            images,
                            seed,
                            lambda share: progress(1.0),
                            model.prefix,
                        )
                    }
                )
                for other, model in zip(analysis.others, others, strict=True)
            )
        return analysis.model_copy(update=updates)

    def _remove_pictures(self, analysis: Analysis) -> None:
        """Remove the pictures that a failed explanation leaves."""
        if self.images is None:
            return
        named = set(pictures_of(analysis))
        for path in (self.images / "overlays").glob("*"):
            if f"overlays/{path.name}" not in named:
                path.unlink()


def pictures_of(analysis: Analysis) -> tuple[str, ...]:
    """Return the paths of all pictures that the analysis names, relative to it."""
    of_segments = (path for segment in analysis.every_segment for path in segment.pictures)
    of_voice = analysis.voice.pictures if analysis.voice else ()
    own = (path for path in (analysis.picture, analysis.boxed) if path)
    return (*own, *of_segments, *of_voice)


def copy_pictures(analysis: Analysis, folder: Path, out: Path) -> None:
    """Copy the pictures that the analysis names from ``folder`` to ``out``."""
    for name in pictures_of(analysis):
        (out / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(folder / name, out / name)
