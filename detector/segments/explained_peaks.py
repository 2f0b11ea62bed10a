"""Turn candidates into published segments: decode their peak frames again, explain and store them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from detector.backends.explaining import CamGraph, PatchGraphs, network_to_explain
from detector.explain import heatmaps, overlays
from detector.explain.change import change_map
from detector.explain.heatmaps import random_area_numbers
from detector.explain.overlays import PHOTO
from detector.faces.crop import HEAD, INNER, inner_square
from detector.faces.detections import Detection
from detector.faces.patch import cut_patch
from detector.media.frame import Image
from detector.media.prefetch import prefetch
from detector.media.reader import MediaReader
from detector.progress import ReportShare
from detector.schema.analysis import (
    CalmFrame,
    CloseUp,
    MapMethod,
    MapNetwork,
    MediaKind,
    Peak,
    PeakMap,
    Question,
    Segment,
)
from detector.schema.formatting import N_
from detector.schema.scores import round_box
from detector.scoring.moments import KeptMoment
from detector.scoring.scorer import Scorer
from detector.segments.candidates import Candidate

if TYPE_CHECKING:
    from detector.networks.base import Network


FRAMING_NAMES = {INNER: "inner face", HEAD: "whole head"}


@dataclass(frozen=True)
class Explainable:
    """The candidates of one model, in the order of its segments; ``prefix`` begins the names of files."""

    candidates: Sequence[Candidate]
    scorer: Scorer
    prefix: str = ""


def explain_peaks(
    candidates: Sequence[Candidate],
    reader: MediaReader,
    scorer: Scorer,
    images: Path | None,
    seed: int,
    progress: ReportShare,
    prefix: str = "",
) -> tuple[Segment, ...]:
    """Turn candidates into segments: read their peak frames again, explain and draw them.

    ``images`` is the folder below which ``overlays/`` is written, if any, with file names that start with
    ``prefix``; ``progress`` receives the share done.
    """
    peaks_by_pts: dict[int, list[tuple[str, Detection]]] = defaultdict(list)
    calm_by_pts: dict[int, list[tuple[str, Detection]]] = defaultdict(list)
    for candidate in candidates:
        for name, peak in _named_peaks(candidate, prefix):
            peaks_by_pts[peak.pts].append((name, peak))
        if candidate.calm is not None:
            calm_by_pts[candidate.calm.pts].append((_calm_name(candidate, prefix), candidate.calm))
    still = reader.kind is MediaKind.IMAGE
    faces = len(candidates) if still else 1
    pictures = _PeakPictures(images, still) if images else None
    explainer = PeakExplainer(scorer, seed, faces)
    wanted = peaks_by_pts.keys() | calm_by_pts.keys()
    with prefetch(reader.at(wanted), 1) as frames:
        for count, frame in enumerate(frames):
            progress(count / len(wanted))
            for name, peak in peaks_by_pts.get(frame.pts, ()):
                explainer.explain(name, peak, frame.image)
                if pictures is not None:
                    pictures.keep(name, peak, frame.image)
            for name, calm in calm_by_pts.get(frame.pts, ()):
                explainer.keep(name, calm, frame.image)
                if pictures is not None:
                    pictures.keep_frame(name, frame.image)
    for candidate in candidates:
        names = [name for name, _ in _named_peaks(candidate, prefix)]
        explainer.compare(names, _calm_name(candidate, prefix))
    if pictures is not None:
        pictures.draw(explainer.maps, reader.width)
    strengths = heatmaps.strengths(explainer.maps.values())
    return tuple(
        _segment(candidate, explainer, strengths, scorer, pictures, prefix) for candidate in candidates
    )


def _calm_name(candidate: Candidate, prefix: str) -> str:
    return f"{prefix}{candidate.name}-calm"


NO_MEMORY = N_(
    "There is no heatmap, because memory ran out. The finding does not depend on it; analyse again "
    "with more memory to obtain it."
)
NO_TIME = N_(
    "There is no heatmap, because computing those of other frames took too long. The finding does not depend "
    "on it."
)
NOT_COMPUTED = N_(
    "There is no heatmap, because the network gave no valid answers while parts of the face were hidden. The "
    "finding does not depend on it."
)
_MOST_SECONDS = 900.0  # for all maps of an exhibit; far more than ever needed


class PeakExplainer:
    """Explains the peaks of one exhibit; ``faces`` is the number of faces of a photograph, 1 for a video."""

    def __init__(self, scorer: Scorer, seed: int, faces: int = 1) -> None:
        self._scorer, self._seed, self._faces = scorer, seed, faces
        self._started: float | None = None
        self._moments: dict[str, KeptMoment] = {}
        self.maps: dict[str, heatmaps.Explained] = {}
        self.missing: dict[str, str] = {}
        """Why a peak has no map, by its name."""

    def explain(self, name: str, peak: Detection, image: Image) -> None:
        """Compute the maps of ``peak`` in ``image``, or note why there are none."""
        self._started = self._started or time.monotonic()
        number = len(self.maps) + len(self.missing)
        if time.monotonic() - self._started > _MOST_SECONDS:
            self.missing[name] = NO_TIME
            return
        try:
            explained = heatmaps.explain(
                self._scorer,
                self._scorer.explainable(image, peak),
                name,
                round_box(peak.box),
                self._seed,
                random_area_numbers(number % self._faces, self._faces),
            )
        except (MemoryError, RuntimeError) as error:  # torch raises RuntimeError for want of memory
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            self.missing[name] = NO_MEMORY
            return
        if not np.isfinite(explained.heat).all():
            self.missing[name] = NOT_COMPUTED
            return
        self.maps[name] = explained
        self.keep(name, peak, image)

    def keep(self, name: str, face: Detection, image: Image) -> None:
        """Keep the pixels of a face for comparisons."""
        if self._faces == 1 and self._network is not None:
            patch = cut_patch(image, face.box)
            self._moments[name] = KeptMoment(face.track, face.time, face.pts, patch, face.roll)

    def compare(self, names: Sequence[str], calm: str) -> None:
        """Add maps of what changed since the ``calm`` face to the peaks called ``names``."""
        network, model = self._network, self._scorer.loaded.second_look
        if calm not in self._moments or network is None or model is None:
            return
        for name in names:
            if name in self.maps:
                explained, peak = self.maps[name], self._moments[name]
                heat = change_map(peak, self._moments[calm], network, model.card.input)
                square = inner_square(explained.box, peak.roll)
                further = heatmaps.Explained(
                    f"{name}-change", square, explained.box, heat, None, MapMethod.CHANGE
                )
                self.maps[name] = replace(explained, further=(*explained.further, further))

    @property
    def _network(self) -> Network | PatchGraphs | None:
        """The transformer whose features are compared; None if the model has none."""
        model = self._scorer.loaded.second_look
        network = None if model is None else network_to_explain(model)
        return (
            None if isinstance(network, CamGraph) or network is None or not network.drops_patches else network
        )


class _PeakPictures:
    """Pictures of peaks below ``images``: frames are written while read, maps once all are known."""

    def __init__(self, images: Path, still: bool) -> None:
        self._images, self._folder = images, images / "overlays"
        self._still = still
        self.frames: dict[str, str] = {}  # path by name of the peak
        self.close_ups: dict[str, CloseUp] = {}
        self._parts: dict[str, tuple[int, int, int, int]] = {}  # the parts they show, in whole px

    def keep(self, name: str, peak: Detection, image: Image) -> None:
        """Write the frame of a peak; for a photo, which is stored already, the surroundings of the face."""
        if not self._still:
            self.keep_frame(name, image)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self.frames[name] = PHOTO
        height, width = image.shape[:2]
        if part := overlays.close_up_part(round_box(peak.box), width, height):
            near = f"overlays/{name}-near"
            close_up = CloseUp(
                part=round_box(part), frame=f"{near}-frame.png", overlay=f"{near}.png", map=f"{near}-map.png"
            )
            left, top, right, bottom = part
            picture = overlays.to_kept_size(image[top:bottom, left:right])
            overlays.write_png(self._images / close_up.frame, picture)
            self.close_ups[name], self._parts[name] = close_up, part

    def keep_frame(self, name: str, image: Image) -> None:
        """Write a whole frame."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.frames[name] = f"overlays/{name}-frame.png"
        overlays.write_png(self._images / self.frames[name], overlays.to_kept_size(image))

    def draw(self, maps: Mapping[str, heatmaps.Explained], width: int) -> None:
        """Draw each map over its frame, ``width`` px wide when decoded, and by itself."""
        for path, of_frame in groupby(maps.values(), key=lambda explained: self.frames[explained.name]):
            frame = overlays.read_png(self._images / path)
            for explained in of_frame:
                for heatmap in explained.all:
                    overlays.write_overlay(frame, heatmap, width, self._folder)
        for name in list(self.close_ups):
            if name not in maps:  # there is nothing to show beside the photograph
                del self.close_ups[name]
                continue
            near = overlays.read_png(self._images / self.close_ups[name].frame)
            overlays.write_close_up(near, maps[name], self._parts[name], self._folder)


def _named_peaks(candidate: Candidate, prefix: str) -> list[tuple[str, Detection]]:
    """Return the peaks of a candidate with the names of their heatmaps and files."""
    return [(f"{prefix}{candidate.name}-{rank}", peak) for rank, peak in enumerate(candidate.peaks, start=1)]


def without_peaks(candidates: Sequence[Candidate], scorer: Scorer) -> tuple[Segment, ...]:
    """Build segments without peaks, where only the findings are wanted."""
    return tuple(_segment(candidate, PeakExplainer(scorer, 0), {}, scorer) for candidate in candidates)


def _segment(
    candidate: Candidate,
    explainer: PeakExplainer,
    strengths: Mapping[MapMethod, float],
    scorer: Scorer,
    pictures: _PeakPictures | None = None,
    prefix: str = "",
) -> Segment:
    """Build a segment from a candidate, its peaks and the paths of their pictures."""
    frames = pictures.frames if pictures else {}
    peaks = []
    for name, peak in _named_peaks(candidate, prefix):
        # A frame that was not decoded again is omitted; the segment remains.
        explained = explainer.maps.get(name)
        if peak.logit is None or explained is None and name not in explainer.missing:
            continue
        maps = (
            ()
            if explained is None
            else tuple(
                _published_map(heatmap, strengths[heatmap.method], drawn=pictures is not None)
                for heatmap in explained.all
            )
        )
        peaks.append(
            Peak(
                time=peak.time,
                pts=peak.pts,
                frame_index=peak.index,
                probability=scorer.probability(peak.logit),
                box=round_box(peak.box),
                frame=frames.get(name),
                overlay=maps[0].overlay if maps else None,
                map=maps[0].map if maps else None,
                close_up=pictures.close_ups.get(name) if pictures else None,
                heat=maps[0].heat if maps else 0.0,
                check=maps[0].check if maps else None,
                maps=maps,
                no_map=explainer.missing.get(name),
            )
        )
    return Segment(
        id=candidate.name,
        person=candidate.person,
        start=candidate.detections[0].time,
        end=candidate.detections[-1].time,
        start_frame=candidate.detections[0].index,
        end_frame=candidate.detections[-1].index,
        confidence=scorer.segment_probability(candidate.level),
        frames=len(candidate.detections),
        covered=candidate.covered,
        peaks=tuple(peaks),
        calm=_published_calm(candidate, frames, scorer, prefix) if peaks else None,
    )


def _published_map(explained: heatmaps.Explained, strongest: float, *, drawn: bool) -> PeakMap:
    deciding = explained.deciding
    networks = [MapNetwork.SCAN if crop.is_scan else MapNetwork.SECOND_LOOK for crop in deciding]
    if explained.method is MapMethod.CHANGE:
        networks = [MapNetwork.SECOND_LOOK]
    question = None
    if explained.altered is not None:
        question = Question.ALTERED if explained.altered else Question.SYNTHESISED
    largest = max(deciding, key=lambda crop: crop.square.side, default=None)
    path = f"overlays/{explained.name}"
    return PeakMap(
        method=explained.method,
        networks=tuple(dict.fromkeys(networks)) or (MapNetwork.SCAN,),
        question=question,
        framing=None if largest is None else largest.window or FRAMING_NAMES[largest.framing],
        share=round(min(1.0, sum(crop.share for crop in deciding)), 4) if deciding else None,
        overlay=f"{path}.png" if drawn else None,
        map=f"{path}-map.png" if drawn else None,
        heat=min(1.0, float(explained.heat.max()) / strongest),
        check=explained.check,
    )


def _published_calm(
    candidate: Candidate, frames: Mapping[str, str], scorer: Scorer, prefix: str
) -> CalmFrame | None:
    calm = candidate.calm
    if calm is None or calm.logit is None:
        return None
    return CalmFrame(
        time=calm.time,
        pts=calm.pts,
        frame_index=calm.index,
        probability=scorer.probability(calm.logit),
        box=round_box(calm.box),
        frame=frames.get(_calm_name(candidate, prefix)),
    )
