"""The whole engine's verdicts of the develop clips, and whether its shortcuts change any of them.

The slow way decodes every frame, has CenterFace search each sampled one whole and the scan score every face.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sklearn.metrics import roc_auc_score

from detector.engine import analyze
from detector.models.card import deciding_sha256
from detector.models.loaded import LoadedModel
from detector.progress import ReportText
from detector.schema.analysis import Analysis, ManipulationKind, Parameters, Verdict
from detector.training.second_look.examples.kinds import targets
from detector.training.second_look.fitting.exhibits import develop_clips

_SLOW = Parameters(search_interval=0, skip_unreferenced=False, interpolate_below=0, alternate_heads=False)
AS_SHIPPED = "as shipped"
_WAYS = {AS_SHIPPED: Parameters(), "slow": _SLOW}


@dataclass(frozen=True)
class ClipVerdict:
    """What was said of a clip; a ``probability`` of 0 where there was no face to judge.

    ``kind`` says whether the kind of manipulation is the clip's; None where none was named.
    """

    file: str
    fake: bool
    verdict: Verdict
    probability: float
    kind: bool | None = None


def measure_verdicts(
    data: Path, model: LoadedModel, folder: Path, every: int, report: ReportText
) -> dict[str, list[ClipVerdict]]:
    """Answers for every ``every``-th develop clip, both ways.

    They are kept in ``folder`` for these weights and this fusion, so that an interrupted run goes on: empty
    it after a change of the engine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    answers: dict[str, list[ClipVerdict]] = {}
    for name, parameters in _WAYS.items():
        kept = folder / f"{deciding_sha256(model.card)[:12]}, {name}.jsonl"
        known = {answer.file: answer for answer in _read(kept)}
        for path, row in develop_clips(data)[::every]:
            if path.name not in known:
                fake = row["label"] == "fake"
                analysis = analyze(path, model=model, parameters=parameters)
                known[path.name] = ClipVerdict(
                    path.name, fake, analysis.verdict, analysis.probability or 0.0, _kind(analysis, row)
                )
                with kept.open("a") as file:
                    file.write(json.dumps(asdict(known[path.name])) + "\n")
            answers.setdefault(name, []).append(known[path.name])
        report(f"{name}: {told(answers[name])}")
    for line in changed(answers["slow"], answers[AS_SHIPPED]):
        report(line)
    return answers


def _kind(analysis: Analysis, row: Mapping[str, str]) -> bool | None:
    """Whether the kind that was named is one that a clip of this ``row`` is of."""
    if analysis.kind is None:
        return None
    altered, synthesised = targets(row["generator"], row["label"] == "fake")
    return (altered if analysis.kind is ManipulationKind.EDITED else synthesised) == 1


def _read(kept: Path) -> list[ClipVerdict]:
    if not kept.exists():
        return []
    told_before = [json.loads(line) for line in kept.read_text().splitlines()]
    return [ClipVerdict(**{**each, "verdict": Verdict(each["verdict"])}) for each in told_before]


def auc_of(answers: Sequence[ClipVerdict]) -> float:
    """AUC of the published probability."""
    return float(roc_auc_score([each.fake for each in answers], [each.probability for each in answers]))


def told(answers: list[ClipVerdict]) -> str:
    """AUC of the published probability, how many clips of each truth got which verdict, and of what kind."""
    counted = Counter((each.fake, each.verdict) for each in answers)
    verdicts = (
        f"{'manipulated' if fake else 'unmanipulated'} {verdict} {counted[fake, verdict]}"
        for fake, verdict in sorted(counted)
    )
    kinds = Counter(each.kind for each in answers if each.fake and each.verdict is Verdict.MANIPULATED)
    of_kind = f"their kind right {kinds[True]}, wrong {kinds[False]}, not told {kinds[None]}"
    return f"AUC {auc_of(answers):.3f}; {', '.join(verdicts)}; {of_kind}"


def changed(before: list[ClipVerdict], after: list[ClipVerdict]) -> list[str]:
    """A line for each clip whose verdict is another."""
    return [
        f"{one.file}: {one.verdict} {one.probability:.2f}, then {other.verdict} {other.probability:.2f}"
        for one, other in zip(before, after, strict=True)
        if one.verdict is not other.verdict
    ]
