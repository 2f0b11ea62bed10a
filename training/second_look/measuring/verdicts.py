"""Verdicts of the whole engine on develop clips, and the figures made from them for the card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sklearn.metrics import roc_auc_score

from detector.engine import analyze
from detector.models.card import SecondLookCard, deciding_sha256
from detector.models.loaded import LoadedModel
from detector.models.model_files import load_card, second_look_path
from detector.progress import ReportText
from detector.schema.analysis import Analysis, ManipulationKind, Parameters, Verdict
from detector.schema.model import WHOLE_PROGRAM
from detector.statistics.error_rates import counted_rate
from detector.statistics.metrics import expected_calibration_error
from training.model_card import write_second_look_card
from training.published_rates import NOTES
from training.second_look.examples.patches import targets
from training.second_look.fitting.exhibits import develop_clips
from training.second_look.measuring.stored_analyses import develop_analyses, report_causes

_SLOW = Parameters(search_interval=0, skip_unreferenced=False, interpolate_below=0, alternate_heads=False)


@dataclass(frozen=True)
class ClipVerdict:
    """The verdict on a clip; ``probability`` is 0 without a face to judge.

    ``kind`` is True if the stated kind of manipulation is correct; None if none was stated.
    """

    file: str
    fake: bool
    verdict: Verdict
    probability: float
    kind: bool | None = None


def measure_verdicts(
    data: Path, model: LoadedModel, folder: Path, every: int, slow: bool, report: ReportText
) -> list[ClipVerdict]:
    """Return verdicts on every ``every``-th develop clip, and report what leaves them open.

    With ``slow``, the slow path's verdicts are compared: it decodes every frame, searches each whole sampled
    frame with CenterFace, and scores every face with the scan. Analyses are stored in ``folder`` for these
    weights and this fusion, so that a run can be resumed; empty the folder after a change of the engine.
    """
    stored = develop_analyses(data, model, folder, (0, every))
    report_causes(stored, report)
    answers = [_clip_verdict(clip.file, clip.row, clip.analysis) for clip in stored]
    for second in (False, True):
        of_collection = [
            answer
            for answer, clip in zip(answers, stored, strict=True)
            if clip.in_second_collection is second
        ]
        if len({answer.fake for answer in of_collection}) == 2:
            report(f"{'second' if second else 'first'} collection: {describe_verdicts(of_collection)}")
    report(f"as shipped: {describe_verdicts(answers)}")
    if slow:
        slow_answers = _slow_verdicts(data, model, folder, every)
        report(f"slow: {describe_verdicts(slow_answers)}")
        for line in changed_verdicts(slow_answers, answers):
            report(line)
    return answers


def _slow_verdicts(data: Path, model: LoadedModel, folder: Path, every: int) -> list[ClipVerdict]:
    """Return the slow path's verdicts, stored in ``folder``."""
    file_path = folder / f"{deciding_sha256(model.card)[:12]}, slow.jsonl"
    verdicts_by_file = {answer.file: answer for answer in _read(file_path)}
    clips = develop_clips(data)[::every]
    for path, row in clips:
        if path.name not in verdicts_by_file:
            answer = _clip_verdict(
                path.name, row, analyze(path, model=model, parameters=_SLOW, explain=False)
            )
            verdicts_by_file[path.name] = answer
            with file_path.open("a") as file:
                file.write(json.dumps(asdict(answer)) + "\n")
    return [verdicts_by_file[path.name] for path, _ in clips]


def _clip_verdict(file: str, row: Mapping[str, str], analysis: Analysis) -> ClipVerdict:
    fake = row["label"] == "fake"
    return ClipVerdict(file, fake, analysis.verdict, analysis.probability or 0.0, _kind(analysis, row))


def _kind(analysis: Analysis, row: Mapping[str, str]) -> bool | None:
    """Return whether the stated kind applies to a clip of this ``row``."""
    if analysis.kind is None:
        return None
    altered, synthesised = targets(row["generator"], row["label"] == "fake")
    return (altered if analysis.kind is ManipulationKind.EDITED else synthesised) == 1


def _read(path: Path) -> list[ClipVerdict]:
    if not path.exists():
        return []
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [ClipVerdict(**{**record, "verdict": Verdict(record["verdict"])}) for record in records]


def auc_of(answers: Sequence[ClipVerdict]) -> float:
    """Return the AUC of the published probability."""
    return float(
        roc_auc_score([answer.fake for answer in answers], [answer.probability for answer in answers])
    )


def describe_verdicts(answers: list[ClipVerdict]) -> str:
    """Describe the AUC of the published probability and the counts of verdicts and kinds by truth."""
    counts = Counter((answer.fake, answer.verdict) for answer in answers)
    verdicts = (
        f"{'manipulated' if fake else 'unmanipulated'} {verdict} {counts[fake, verdict]}"
        for fake, verdict in sorted(counts)
    )
    kinds = Counter(
        answer.kind for answer in answers if answer.fake and answer.verdict is Verdict.MANIPULATED
    )
    of_kind = f"their kind right {kinds[True]}, wrong {kinds[False]}, not told {kinds[None]}"
    return f"AUC {auc_of(answers):.3f}; {', '.join(verdicts)}; {of_kind}"


def changed_verdicts(before: list[ClipVerdict], after: list[ClipVerdict]) -> list[str]:
    """Return a line for each clip whose verdict changed."""
    return [
        f"{old.file}: {old.verdict} {old.probability:.2f}, then {new.verdict} {new.probability:.2f}"
        for old, new in zip(before, after, strict=True)
        if old.verdict is not new.verdict
    ]


def verdict_figures(answers: Sequence[ClipVerdict]) -> dict[str, float]:
    """Return figures of the verdicts on develop clips, under the names of a card."""
    data = f"{WHOLE_PROGRAM}, {len(answers)} develop clips"
    error = expected_calibration_error(
        [answer.fake for answer in answers], [answer.probability for answer in answers]
    )
    figures = {f"{data}, AUC": auc_of(answers), f"{data}, expected calibration error": error}
    for truth, name in ((True, "manipulated ones"), (False, "unmanipulated ones")):
        verdicts = [answer.verdict for answer in answers if answer.fake is truth]
        for verdict, word in ((Verdict.MANIPULATED, "flagged"), (Verdict.INCONCLUSIVE, "inconclusive")):
            figures[f"{data}, {name} {word}"] = verdicts.count(verdict) / len(verdicts)
    return figures


def with_rates(card: SecondLookCard, answers: Sequence[ClipVerdict]) -> SecondLookCard:
    """Add error rates of the verdicts on develop clips to ``card``, after those of the step `fit`."""
    clips = f"{len(answers)} develop clips"
    data = f"{WHOLE_PROGRAM}, {clips}"
    rates = [rate for rate in card.rates if rate.data != data]
    at = max((n for n, rate in enumerate(rates, start=1) if rate.data == clips), default=len(rates))
    for figure, truth in (("false negative rate", True), ("false positive rate", False)):
        flags = [answer.verdict is Verdict.MANIPULATED for answer in answers if answer.fake is truth]
        error_count = flags.count(not truth)
        group_choices = (rate.groups for rate in card.rates if (rate.figure, rate.data) == (figure, clips))
        groups, note = next(group_choices, None), NOTES["develop clips"]
        rate = counted_rate(
            figure, error_count, len(flags), data=data, unit="clips", groups=groups, note=note
        )
        rates.insert(at, rate)
    return card.model_copy(update={"rates": tuple(rates)})


def composed_figures(measured: Mapping[str, float]) -> dict[str, float]:
    """Return the card's figures from those of ``composed_clips.measure_composed``."""
    splices, duos, alternations = (int(measured[name]) for name in ("splices", "duos", "alternations"))
    of_splices = f"{WHOLE_PROGRAM}, {splices} partly manipulated clips"
    of_duos = f"{WHOLE_PROGRAM}, {duos} clips of two people"
    of_alternations = f"{WHOLE_PROGRAM}, {alternations} clips that change every half second"
    return {
        **{f"{of_splices}, {name}": measured[name] for name in ("AP at tIoU 0.5", "AP at tIoU 0.75")},
        f"{of_duos}, the right person alone flagged": measured["right person only"] / duos,
        f"{of_duos}, a wrong one flagged": measured["wrong person"] / duos,
        f"{of_alternations}, flagged": measured["alternations flagged"] / alternations,
    }


def update_card(model: str, figures: Mapping[str, float], answers: Sequence[ClipVerdict] = ()) -> Path:
    """Write ``figures``, and the error rates of ``answers``, to the second look's card.

    ``model`` is a name or path for :func:`~detector.models.model_files.load_card`.
    """
    _, weights = load_card(model)
    path = second_look_path(weights)
    card = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    rounded = {name: round(value, 4) for name, value in figures.items()}
    card = card.model_copy(update={"figures": {**card.figures, **rounded}})
    write_second_look_card(with_rates(card, answers) if answers else card, path)
    return path
