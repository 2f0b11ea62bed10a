"""Figures of the whole program on develop clips, as the second look's card states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from detector.models.card import SecondLookCard
from detector.models.card_files import load_card, second_look_path
from detector.schema.analysis import Verdict
from detector.schema.model import PROGRAM
from detector.training.evaluation.leaderboard import read_record, write_record
from detector.training.publish.calibration import expected_calibration_error
from detector.training.publish.card_writing import write_second_look
from detector.training.publish.error_rates import NOTES, counted_rate
from detector.training.second_look.measuring.verdicts import ClipVerdict, auc_of


def verdict_figures(answers: Sequence[ClipVerdict]) -> dict[str, float]:
    """Of what was said of the develop clips, by the names of a card."""
    of = f"{PROGRAM}, {len(answers)} develop clips"
    error = expected_calibration_error(
        [each.fake for each in answers], [each.probability for each in answers]
    )
    figures = {f"{of}, AUC": auc_of(answers), f"{of}, expected calibration error": error}
    for truth, name in ((True, "manipulated ones"), (False, "unmanipulated ones")):
        verdicts = [answer.verdict for answer in answers if answer.fake is truth]
        for verdict, word in ((Verdict.MANIPULATED, "flagged"), (Verdict.INCONCLUSIVE, "inconclusive")):
            figures[f"{of}, {name} {word}"] = verdicts.count(verdict) / len(verdicts)
    return figures


def with_rates(card: SecondLookCard, answers: Sequence[ClipVerdict]) -> SecondLookCard:
    """``card`` with the error rates of what was said of the develop clips, after the step's on the same."""
    clips = f"{len(answers)} develop clips"
    data = f"{PROGRAM}, {clips}"
    stated = [rate for rate in card.rates if rate.data != data]
    at = max((n for n, rate in enumerate(stated, start=1) if rate.data == clips), default=len(stated))
    for figure, truth in (("false negative rate", True), ("false positive rate", False)):
        flagged = [answer.verdict is Verdict.MANIPULATED for answer in answers if answer.fake is truth]
        wrong = flagged.count(not truth)
        same = (rate.groups for rate in card.rates if (rate.figure, rate.data) == (figure, clips))
        groups, note = next(same, None), NOTES["develop clips"]
        rate = counted_rate(figure, wrong, len(flagged), data=data, unit="clips", groups=groups, note=note)
        stated.insert(at, rate)
    return card.model_copy(update={"rates": tuple(stated)})


def composed_figures(measured: Mapping[str, float]) -> dict[str, float]:
    """Of what :func:`~detector.training.second_look.measuring.composed.measure_composed` measured."""
    partly, duos = (int(measured[name]) for name in ("splices", "duos"))
    of_splices = f"{PROGRAM}, {partly} partly manipulated clips"
    of_duos = f"{PROGRAM}, {duos} clips of two people"
    return {
        **{f"{of_splices}, {name}": measured[name] for name in ("AP at tIoU 0.5", "AP at tIoU 0.75")},
        f"{of_duos}, the right person alone flagged": measured["right person only"] / duos,
        f"{of_duos}, a wrong one flagged": measured["wrong person"] / duos,
    }


def update_card(model: str, figures: Mapping[str, float], answers: Sequence[ClipVerdict] = ()) -> Path:
    """Put ``figures`` onto the card of the second look of ``model``, and into the leaderboard beside it.

    With them go the error rates of ``answers``. ``model`` is a name or path as
    :func:`~detector.models.card_files.load_card` takes it.
    """
    _, weights = load_card(model)
    path = second_look_path(weights)
    card = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    rounded = {name: round(value, 4) for name, value in figures.items()}
    card = card.model_copy(update={"figures": {**card.figures, **rounded}})
    write_second_look(with_rates(card, answers) if answers else card, path)
    write_record(read_record(weights.parent), weights.parent)
    return path
