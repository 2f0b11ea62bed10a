"""Run develop clips through the engine once and store the inputs for fitting fusion and thresholds."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.files import open_atomically
from detector.media.open import open_media
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Parameters
from detector.scoring.first_pass import FirstPass
from detector.scoring.fused_scorer import BothNetworks
from detector.scoring.fusion import SECOND_NETWORK, Floats, Fusion, fusion_inputs
from detector.scoring.moments import MomentKeeper
from detector.scoring.person_look import PersonLook, raise_at
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import PersonLooker, material_of_persons
from training.data.research_faces import clip_rows
from training.second_look.examples.patches import family
from training.second_look.fitting.patch_scores import ClipScores

FOLDERS = ("clips", "videos")
_VERSION = 3  # of the records; raise it when these classes change


@dataclass(frozen=True)
class PersonRecord:
    """One person: the scan's logits (n,) at ``time`` of ``track``, and the second network's look."""

    track: NDArray[np.int32]
    time: Floats
    scan: Floats
    look: PersonLook | None

    @property
    def inputs(self) -> Floats | None:
        """Return the fusion's inputs (1, 5) over all of the person's time."""
        return self.look.inputs if self.look is not None else None

    def fused(self, formula: Fusion) -> Floats:
        """Return the fused logits (n,)."""
        if self.look is None:
            return formula.logit(fusion_inputs(self.scan, formula.neutral[SECOND_NETWORK]))
        inputs = self.look.inputs_at(self.track, self.time, self.scan, formula.within)
        intervals = self.look.raised_intervals(formula, self.track, self.time, self.scan)
        return formula.logit(inputs, raise_at(intervals, self.track, self.time))


@dataclass(frozen=True)
class ClipRecord:
    """A develop clip."""

    file: str
    fake: bool
    family: str
    group: str
    persons: tuple[PersonRecord, ...]


def record_shares(
    data: Path,
    model: LoadedModel,
    beside: Path,
    share: tuple[int, int],
    report: ReportText,
) -> list[ClipRecord] | None:
    """Record all develop clips below ``data``, with files ``beside`` the given path.

    Records keep everything a fusion needs, so that fits and thresholds take seconds. ``share`` (k, n) records
    every n-th clip from the k-th on, for several processes; returns None while others are missing.
    """
    count = share[1]
    networks = [part for part in (model, model.second_look) if part is not None]
    digest = "-".join(part.card.sha256[:8] for part in networks)
    places = [beside.with_name(f"{digest}.{k}-{count}.records-{_VERSION}.pickle") for k in range(count)]
    if not places[share[0]].exists():
        made = _record(data, model, share, report)
        with open_atomically(places[share[0]]) as file:
            pickle.dump(made, file)
    if not all(place.exists() for place in places):
        return None
    records: list[ClipRecord] = []
    for place in places:
        records += pickle.loads(place.read_bytes())  # this program's own, never a download
    return sorted(records, key=lambda clip: clip.file)


def _record(data: Path, model: LoadedModel, share: tuple[int, int], report: ReportText) -> list[ClipRecord]:
    clips = develop_clips(data)[share[0] :: share[1]]
    records = []
    for number, (path, row) in enumerate(clips):
        fake = row["label"] == "fake"
        kind = family(row["generator"], fake)
        records.append(ClipRecord(path.name, fake, kind, row["group"], persons_of(path, model)))
        report(f"{number + 1} of {len(clips)}: {path.name}")
    return records


def develop_clips(data: Path) -> list[tuple[Path, dict[str, str]]]:
    """Return all develop clips below ``data`` with their rows of the label files, groups included."""
    return [
        (data / folder / row["file"], row)
        for folder in FOLDERS
        for row in clip_rows(data / folder)
        if row["role"] == "develop"
    ]


def persons_of(path: Path, model: LoadedModel) -> tuple[PersonRecord, ...]:
    """Record everyone in the video ``path``, at the moments of :func:`detector.engine.analyze`.

    Calm persons are recorded at all of them, although an analysis uses half: the fusion, which is fitted on
    these records, decides who is calm. For the same reason there are no further views and no edges judged
    frame by frame. Frames with faces on their side are not turned.
    """
    parameters = Parameters()
    with open_media(path) as reader:
        windows = model.second_look is not None and bool(model.second_look.parts)
        scan, keeper = Scorer(model), MomentKeeper(parameters.second_look, windows=windows)
        first_pass = FirstPass(reader, parameters, scan, keeper=keeper)
        sampled = reader.frames(parameters.sample_rate, all_decoded=False)
        for frame, is_cut in first_pass.with_cuts(sampled):
            first_pass.process_frame(frame, is_cut)
        (left,) = first_pass.post_process()
    looker = PersonLooker(BothNetworks.of(scan, model), parameters.alternate_heads)
    out = []
    for person in material_of_persons(left, keeper, parameters):
        if not len(person.faces):
            continue
        look = looker.look(person.group, person.faces, person.kept, person.most)
        if look is not None:
            look = dataclasses.replace(look, moments=())
        track, time, scanned = (person.faces[name].copy() for name in ("track", "time", "logit"))
        out.append(PersonRecord(track, time, scanned, look))
    out.sort(key=lambda record: -len(record.time))
    return tuple(out)


def clip_inputs(records: Sequence[ClipRecord]) -> ClipScores:
    """Return the fusion's inputs of the person longest on screen in each clip; omit clips without a face."""
    seen = [r for r in records if r.persons and r.persons[0].inputs is not None]
    return ClipScores(
        [r.file for r in seen],
        np.array([r.fake for r in seen]),
        [r.family for r in seen],
        [r.group for r in seen],
        np.concatenate([r.persons[0].inputs for r in seen]),
    )


def everyone_inputs(records: Sequence[ClipRecord]) -> Floats:
    """Return the fusion's inputs (n, 5) of every person of every clip."""
    seen = [person.inputs for clip in records for person in clip.persons]
    return np.concatenate([inputs for inputs in seen if inputs is not None])
