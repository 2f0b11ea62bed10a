"""An open verdict is told by what leaves it open: why, what may help, and what to do next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from analyses import build

from detector.schema.analysis import Analysis, MediaKind, Verdict
from detector.verdict import finding
from detector.verdict.judged_persons import JudgedExhibit
from detector.verdict.left_open import LeftOpen, cause_of
from detector.verdict.verdict import decide
from language import translation
from language.languages import LANGUAGES
from reports.finding.meaning import verdict_meaning
from reports.finding.summary import next_steps

# Of what only a video, or only a photograph, can be.
OF_VIDEOS = {
    LeftOpen.COLOURLESS,
    LeftOpen.TOO_FEW_FRAMES,
    LeftOpen.MOSTLY_DAMAGED,
    LeftOpen.HIGH_IN_FEW_FRAMES,
    LeftOpen.MOTIONLESS,
}
OF_PHOTOS = {LeftOpen.OUTWEIGHED}
# Kinds of one cause, which may be told by the same sentence.
SAME_CAUSE: list[set[LeftOpen | None]] = [
    {LeftOpen.COVERED, LeftOpen.ALL_COVERED},
    {LeftOpen.UNCONFIRMED, LeftOpen.UNSTABLE},
]
# Where a better copy, or of a photograph the original, may help and nothing else does.
BETTER_COPY: set[LeftOpen | None] = {
    LeftOpen.NO_FACE,
    LeftOpen.NONE_USABLE,
    LeftOpen.UNCONFIRMED,
    LeftOpen.UNSTABLE,
    LeftOpen.MOSTLY_NOT_JUDGED,
    LeftOpen.DOUBTFUL,
    None,
}
SAME_REMEDY: list[set[LeftOpen | None]] = [
    BETTER_COPY,
    {LeftOpen.COVERED, LeftOpen.ALL_COVERED},
    {LeftOpen.TOO_FEW_FRAMES, LeftOpen.HIGH_IN_FEW_FRAMES},
]


def an_open_one(folder: Path, kind: MediaKind) -> Analysis:
    made = build(folder, kind=kind, persons=1, segments=0, kept=False)
    return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_each_cause_has_its_own_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: MediaKind, code: str
) -> None:
    analysis = an_open_one(tmp_path, kind)
    because: dict[str, set[LeftOpen | None]] = defaultdict(set)
    remedies: dict[str, set[LeftOpen | None]] = defaultdict(set)
    for cause in {*LeftOpen, None} - (OF_PHOTOS if kind is MediaKind.VIDEO else OF_VIDEOS):
        monkeypatch.setattr(finding, "cause_of", lambda _, cause=cause: cause)
        analysis = analysis.model_copy()  # a finding is derived once for each analysis
        with translation.speaking(code):
            why, may_help = verdict_meaning(analysis)
            because[why].add(cause)
            remedies[next_steps(analysis)].add(cause)
            assert may_help and may_help not in why
    for shared in because.values():
        assert len(shared) == 1 or shared in SAME_CAUSE, "these are told by one sentence"
    for shared in remedies.values():
        known = len(shared) == 1 or any(shared <= kinds for kinds in SAME_REMEDY)
        assert known, "these have one remedy: give each its own, or name them here as such"


def decided(analysis: Analysis, **of_persons: object) -> Analysis:
    """``analysis`` with its persons changed, and the verdict that they leave."""
    persons = tuple(person.model_copy(update=of_persons) for person in analysis.persons)
    changed = analysis.model_copy(update={"persons": persons})
    verdict, causes = decide(JudgedExhibit.of(changed), {})
    return changed.model_copy(update={"verdict": verdict, "causes": causes})


@pytest.mark.parametrize(
    ("segments", "of_persons", "cause", "beginnings"),
    [
        (
            0,
            {"motionless": True},
            LeftOpen.MOTIONLESS,
            [
                "The picture does not move",
                "The picture itself, or a frame of the video",
                "Submit the picture itself",
            ],
        ),
        (
            0,
            {"motionless": True, "probability": 0.6},
            LeftOpen.DOUBTFUL,
            [
                "The scores are too low",
                "The picture itself, or a frame of the video",
                "Submit the picture itself",
            ],
        ),
        (
            1,
            {"grey": 0.9},
            LeftOpen.COLOURLESS,
            [
                "The threshold for a finding is reached, but only by faces in black",
                "A copy in",
                "Look for a colour copy",
            ],
        ),
        (
            1,
            {"covered": 0.9},
            LeftOpen.COVERED,
            ["Mouth or eyes seem to be covered", "A passage, another", "Look for a passage, another"],
        ),
    ],
)
def test_a_better_copy_is_recommended_only_if_it_helps(
    tmp_path: Path, segments: int, of_persons: dict[str, object], cause: LeftOpen, beginnings: Sequence[str]
) -> None:
    made = build(tmp_path, persons=1, segments=segments, kept=False)
    if "covered" in of_persons:
        hidden = tuple(segment.model_copy(update={"covered": 0.9}) for segment in made.segments)
        made = made.model_copy(update={"segments": hidden})
    analysis = decided(made, **of_persons)
    assert analysis.verdict is Verdict.INCONCLUSIVE and cause_of(analysis) is cause
    sentences = [*verdict_meaning(analysis), next_steps(analysis)]
    for sentence, words in zip(sentences, beginnings, strict=True):
        assert sentence.startswith(words) and "better copy" not in sentence
