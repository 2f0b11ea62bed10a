"""Develop clips through the engine's first pass and second look, to fit fusion and thresholds on.

Everything a fusion needs is kept for each person, so that fits and thresholds cost seconds, whatever the
networks cost. Clips are those of role ``develop``, of both folders of clips.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.files import open_atomically
from detector.media.open import open_media
from detector.models.card import SecondLookCard
from detector.models.loaded import LoadedModel
from detector.schema.analysis import MediaKind, Parameters, Platt, Rate
from detector.scoring.contrast import amounts
from detector.scoring.first_pass import FirstPass
from detector.scoring.fusion import INPUTS, Floats, Fusion
from detector.scoring.moments import MomentKeeper
from detector.scoring.person_look import PersonLook
from detector.scoring.scorer import Scorer, logit_of
from detector.scoring.second_look import FusedScorer, moments_wanted
from detector.segments import rules
from detector.training.data.face_samples import read_csv
from detector.training.publish.error_rates import counted_rate
from detector.training.second_look.examples.kinds import REAL, TALKING_HEAD, family
from detector.training.second_look.fitting import fusion
from detector.training.second_look.fitting.measuring import ClipScores, clip_aucs

FOLDERS = ("clips", "videos")
DATA = "126 develop clips"
FLAGGED, DOUBTED = 0.03, 0.10  # of the unmanipulated clips: flagged, and flagged or in doubt


@dataclass(frozen=True)
class PersonRecord:
    """One person: the scan's logits (n,) at ``time`` of ``track``, and the second network's."""

    track: NDArray[np.int32]
    time: Floats
    fast: Floats
    look: PersonLook | None

    @property
    def inputs(self) -> Floats | None:
        """The fusion's inputs (1, 5) over all the person's time."""
        return self.look.inputs if self.look is not None else None

    def fused(self, formula: Fusion) -> Floats:
        """Fused logits (n,)."""
        if self.look is None:
            strong = np.tile(formula.neutral[1:], (len(self.time), 1))
            return formula.logit(np.column_stack([self.fast, strong]))
        inputs = self.look.inputs_at(self.track, self.time, self.fast, formula.within)
        outlying = self.look.outlying(formula, self.track, self.time, self.fast)
        added = amounts(outlying, self.track, self.time)
        return formula.logit(inputs, added)


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
    report: Callable[[str], None],
) -> list[ClipRecord] | None:
    """Records of all develop clips below ``data``; kept ``beside`` that file.

    ``share`` (k, n) makes every n-th, from the k-th on, for several processes; None while others are missing.
    """
    count = share[1]
    networks = [part for part in (model, model.second_look) if part is not None]
    digest = "-".join(part.card.sha256[:8] for part in networks)
    places = [beside.with_name(f"{digest}.{k}-{count}.records.pickle") for k in range(count)]
    if not places[share[0]].exists():
        made = _recorded(data, model, share, report)
        with open_atomically(places[share[0]]) as file:
            pickle.dump(made, file)
    if not all(place.exists() for place in places):
        return None
    records: list[ClipRecord] = []
    for place in places:
        records += pickle.loads(place.read_bytes())  # this program's own, never a download
    return sorted(records, key=lambda clip: clip.file)


def _recorded(
    data: Path, model: LoadedModel, share: tuple[int, int], report: Callable[[str], None]
) -> list[ClipRecord]:
    clips = develop_clips(data)[share[0] :: share[1]]
    records = []
    for number, (path, row) in enumerate(clips):
        fake, group = row["label"] == "fake", row.get("group", row["file"])
        kind = family(row["generator"], fake)
        records.append(ClipRecord(path.name, fake, kind, group, persons_of(path, model)))
        report(f"{number + 1} of {len(clips)}: {path.name}")
    return records


def develop_clips(data: Path) -> list[tuple[Path, dict[str, str]]]:
    """All develop clips below ``data`` with their rows of the label files."""
    return [
        (data / folder / row["file"], row)
        for folder in FOLDERS
        for row in read_csv(data / folder / "labels.csv")
        if row["role"] == "develop"
    ]


def persons_of(
    path: Path, model: LoadedModel, parameters: Parameters | None = None
) -> tuple[PersonRecord, ...]:
    """Everyone in the file ``path``, as :func:`detector.engine.analyze` sees them."""
    parameters = parameters or Parameters()
    with open_media(path) as reader:
        scan = Scorer(model, still=reader.kind is MediaKind.IMAGE)
        keeper = MomentKeeper(parameters.second_look)
        first_pass = FirstPass(reader, parameters, scan, keeper=keeper)
        sampled = reader.frames(parameters.sample_rate, all_decoded=False)
        for frame, is_cut in first_pass.with_cuts(sampled):
            first_pass.process_frame(frame, is_cut)
        first_pass.post_process()
    rows = first_pass.detections.rows
    rows = rows[~np.isnan(rows["logit"])]
    scorer = FusedScorer(scan, model)
    out = []
    for group in first_pass.persons:
        mine = rows[np.isin(rows["track"], group)]
        if not len(mine):
            continue
        look = scorer.look(group, mine, keeper.of(group), moments_wanted(parameters, len(mine)))
        if look is not None:
            look = dataclasses.replace(look, moments=())
        track, time, fast = (mine[name].copy() for name in ("track", "time", "logit"))
        out.append(PersonRecord(track, time, fast, look))
    out.sort(key=lambda person: -len(person.time))
    return tuple(out)


def clip_inputs(records: Sequence[ClipRecord]) -> ClipScores:
    """The fusion's inputs of each clip's person of longest screen time; clips without a face are left out."""
    seen = [r for r in records if r.persons and r.persons[0].inputs is not None]
    return ClipScores(
        [r.file for r in seen],
        np.array([r.fake for r in seen]),
        [r.family for r in seen],
        [r.group for r in seen],
        np.concatenate([r.persons[0].inputs for r in seen]),
    )


def everyone_inputs(records: Sequence[ClipRecord]) -> Floats:
    """The fusion's inputs (n, 5) of every person of every clip."""
    seen = [person.inputs for clip in records for person in clip.persons]
    return np.concatenate([inputs for inputs in seen if inputs is not None])


def peak(clip: ClipRecord, formula: Fusion, parameters: Parameters) -> float:
    """The highest smoothed logit of any of its people: the threshold above which nothing is flagged."""
    highest = -np.inf
    for person in clip.persons:
        logits = person.fused(formula)
        for track in np.unique(person.track):
            mine = person.track == track
            times = person.time[mine]
            if not rules.is_long_enough(times[0], times[-1], parameters):
                continue
            weights = rules.sample_weights(times, parameters.sample_rate)
            smoothed = rules.sliding_median(times, logits[mine], parameters.median_window, weights)
            highest = max(highest, float(smoothed.max()))
    return highest


def level(clip: ClipRecord, formula: Fusion) -> float:
    """The highest mean fused logit of any of its people."""
    return max((float(p.fused(formula).mean()) for p in clip.persons), default=-np.inf)


def left_out(records: Sequence[ClipRecord], parameters: Parameters) -> tuple[Floats, Floats]:
    """Peak and level of every clip, by fusions that have not seen its group."""
    clips = clip_inputs(records)
    groups = np.array(clips.group)
    talking = np.array([kind == TALKING_HEAD for kind in clips.family])
    out = {}
    for group in sorted({r.group for r in records}):
        others = groups != group
        formula = fusion.fit(clips.scores[others], clips.fake[others], talking[others])
        for r in records:
            if r.group == group:
                out[r.file] = peak(r, formula, parameters), level(r, formula)
    both = np.array([out[r.file] for r in records])
    return both[:, 0], both[:, 1]


def probability_for(flagged: float, doubted: float, parameters: Parameters) -> Platt:
    """The scaling that puts the thresholds ``flagged`` and ``doubted`` of fused logits where the shipped
    parameters have theirs, so that every model is judged at the same probabilities."""
    enter, doubt = (logit_of(p) for p in (parameters.enter_threshold, parameters.doubt_threshold))
    scale = float(np.clip((enter - doubt) / max(flagged - doubted, 1e-3), 0.4, 2.0))
    return Platt(scale=scale, offset=enter - scale * flagged)


def thresholds(peaks: Floats, levels: Floats, fake: NDArray[np.bool_]) -> tuple[float, float]:
    """Fused logits at which a segment opens, and from which a person's mean leaves doubt.

    ``peaks`` (n,) are the highest smoothed logits of the clips, ``levels`` (n,) their highest means.
    """
    return fusion.threshold_for(peaks, fake, FLAGGED), fusion.threshold_for(levels, fake, DOUBTED)


def fitted_card(
    records: Sequence[ClipRecord], card: SecondLookCard, parameters: Parameters
) -> SecondLookCard:
    """``card`` with fusion and thresholds fitted on all ``records``; thresholds on left-out scores.

    Below the threshold of a finding the probability falls as slowly as the threshold of doubt asks for; above
    it, it rises as a logistic regression of the label does.
    """
    clips = clip_inputs(records)
    talking = np.array([kind == TALKING_HEAD for kind in clips.family])
    formula = fusion.fit(clips.scores, clips.fake, talking)
    peaks, levels = left_out(records, parameters)
    fake = np.array([r.fake for r in records])
    platt = probability_for(*thresholds(peaks, levels, fake), parameters)
    slope = fusion.platt(levels, fake).scale
    changed: dict[str, Any] = {
        "altered": fusion.half_of_card(formula.altered),
        "synthesised": fusion.half_of_card(formula.synthesised),
        "reserve": fusion.RESERVE,
        "contrast": fusion.CONTRAST,
        "within": fusion.WITHIN,
        "agreement": fusion.agreement(formula, everyone_inputs(records)),
        "probability": platt,
        "knee": logit_of(parameters.enter_threshold),
        "beyond": slope if slope > platt.scale else None,
    }
    return card.model_copy(update=changed)


def measured_card(
    records: Sequence[ClipRecord], card: SecondLookCard, parameters: Parameters, report: Callable[[str], None]
) -> SecondLookCard:
    """``card`` with its figures over the develop clips, which are reported as well.

    Every clip is judged by a fusion and thresholds that have not seen its group.
    """
    clips = clip_inputs(records)
    talking = np.array([kind == TALKING_HEAD for kind in clips.family])
    for number, name in enumerate(INPUTS):
        report(f"{name:20} {clip_aucs(clips, clips.scores[:, number])}")
    scores = fusion.left_out_logits(clips.scores, clips.fake, talking, clips.group)
    report(f"{'fused, left out':20} {clip_aucs(clips, scores)}")
    peaks, levels = left_out(records, parameters)
    fake, groups = np.array([r.fake for r in records]), np.array([r.group for r in records])
    flagged, doubted = np.zeros(len(fake), bool), np.zeros(len(fake), bool)
    for group in set(groups.tolist()):
        mine = groups == group
        enter, doubt = thresholds(peaks[~mine], levels[~mine], fake[~mine])
        flagged[mine] = peaks[mine] >= enter
        doubted[mine] = ~flagged[mine] & (levels[mine] >= min(doubt, enter))
    for name, chosen in (("unmanipulated", ~fake), ("manipulated", fake)):
        report(
            f"{name}: of {chosen.sum()} flagged {flagged[chosen].sum()}, in doubt {doubted[chosen].sum()}; "
            "each by thresholds chosen without its group"
        )
    kinds = np.array([r.family for r in records])
    figures = {"AUC": float(roc_auc_score(clips.fake, scores))}
    figures |= {f"AUC, {name}": value for name, value in clip_aucs(clips, scores).items() if name != "all"}
    figures["inconclusive by doubt, unmanipulated"] = float(doubted[~fake].mean())
    figures["inconclusive by doubt, manipulated"] = float(doubted[fake].mean())
    for kind in sorted(set(kinds.tolist())):
        mine = kinds == kind
        if kind != REAL:
            figures[f"flagged, {kind}"] = float(flagged[mine].mean())
        report(f"{kind}: of {mine.sum()} flagged {flagged[mine].sum()}, in doubt {doubted[mine].sum()}")
    names = np.array([r.file for r in records])
    report(f"unmanipulated, flagged or in doubt: {names[~fake & (flagged | doubted)].tolist()}")
    report(f"manipulated, neither: {names[fake & ~flagged & ~doubted].tolist()}")
    report(f"probability: {card.probability}")
    rates = (
        _rate("false positive rate", flagged[~fake], groups[~fake]),
        _rate("false negative rate", ~flagged[fake], groups[fake]),
    )
    named = {f"{DATA}, {name}": round(value, 4) for name, value in figures.items()}
    return card.model_copy(update={"figures": named, "rates": rates})


def _rate(figure: str, events: NDArray[np.bool_], groups: NDArray[np.str_]) -> Rate:
    count, separate = int(events.sum()), len(set(groups.tolist()))
    note = (
        "fusion and thresholds chosen each time without the clip's own group; an early stop of the training "
        "was chosen on these clips"
    )
    return counted_rate(figure, count, len(events), data=DATA, unit="clips", groups=separate, note=note)
