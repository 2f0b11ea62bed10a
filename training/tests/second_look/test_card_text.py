"""Sentences of the shipped second look's card say what its figures say."""

from __future__ import annotations

import math
import re

from detector.files import ROOT
from detector.models.card import SecondLookCard
from detector.models.model_files import MODELS_FOLDER
from training.second_look import ship

CARD = SecondLookCard.model_validate_json((MODELS_FOLDER / "second-look" / "reelproof.json").read_bytes())
CLIPS, STILLS = "241 develop clips", "stills test"
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}


def numbers(sentences: tuple[str, ...], words: str) -> list[int]:
    """All of the one sentence that has ``words``."""
    (sentence,) = (text for text in sentences if words in text)
    return [int(number) for number in re.findall(r"\b\d+\b", sentence)]


def items(data: str) -> tuple[int, int]:
    """How many unmanipulated and manipulated ones the error rates rest on."""
    counted = {rate.figure: rate.items for rate in CARD.rates if rate.data == data}
    return counted["false positive rate"], counted["false negative rate"]


def count(figure: str, of: int) -> int:
    """Of a share: how many of ``of`` it stands for; it fits no other number."""
    share = CARD.figures[figure]
    assert math.isclose(round(share * of) / of, share, abs_tol=1e-4), figure
    return round(share * of)


def test_the_shipped_card_says_what_the_next_would() -> None:
    assert (CARD.domain_cause, CARD.limit_causes) == (ship.DOMAIN, ship.LIMITS)
    assert (CARD.learnt, CARD.data) == (ship.LEARNT, ship.DATA)


def test_clips_not_flagged_by_the_whole_program() -> None:
    _, manipulated = items(CLIPS)
    flagged, doubted = (
        count(f"whole program, {CLIPS}, manipulated ones {answer}", manipulated)
        for answer in ("flagged", "inconclusive")
    )
    stated = [manipulated - flagged, manipulated, doubted]
    assert numbers(CARD.limits, "The whole program") == stated


def test_talking_heads_flagged() -> None:
    flagged, of, _ = numbers(CARD.limits, "Talking heads of recent generators")
    assert flagged == count(f"{CLIPS}, flagged, talking head", of)


def test_clips_that_fusion_and_thresholds_rest_on() -> None:
    unmanipulated, manipulated = items(CLIPS)
    both = unmanipulated + manipulated
    assert numbers(CARD.limits, "Fusion and thresholds rest on")[:2] == [both, unmanipulated]
    clips, _, fakes = numbers(CARD.data, "Fusion and thresholds: ")[:3]
    assert (clips, fakes) == (both, manipulated)


def test_photographs_flagged() -> None:
    everything, *stated, half_1, half_2, half_3, quality = numbers(CARD.limits, "Photographs (")
    flagged, of = (
        stated[::2],
        dict(zip(("photographs", "generated", "composites"), stated[1::2], strict=True)),
    )
    assert (of["photographs"], of["generated"] + of["composites"]) == items(STILLS)
    assert everything == sum(items(STILLS))
    half = f"{STILLS} at half size, JPEG {quality}"
    for data, counts in ((STILLS, flagged), (half, [half_1, half_2, half_3])):
        assert counts == [count(f"{data}, flagged, {kind}", n) for kind, n in of.items()]


def test_groups_of_faces_flagged() -> None:
    """As docs/engine.md says it was measured."""
    text = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    counts = r"([\d, and]+)"
    match = re.search(
        f"of {counts} unmanipulated faces at least one was flagged in {counts} % where the highest counts, "
        f"and in {counts} % with averaged odds",
        text,
    )
    assert match is not None
    stated = [int(number) for number in re.findall(r"\d+", f"{match[1]} {match[3]}")]
    assert numbers(CARD.limits, "Group photographs")[: len(stated)] == stated


def test_attacked_faces_noticed() -> None:
    noticed = {name: CARD.figures[f"100 faces, {name}, contradicted"] for name in attacks()}
    assert max(share for name, share in noticed.items() if "FGSM" in name) < 0.5  # "mostly unnoticed"
    (words,) = re.findall(r"in eight \(PGD\) (\w+) or (\w+) of ten are noticed", " ".join(CARD.limits))
    of_ten = [10 * share for name, share in noticed.items() if "PGD, 8 steps" in name]
    assert {bound(share) for share in of_ten for bound in (math.floor, math.ceil)} == {
        WORDS[word] for word in words
    }


def attacks() -> list[str]:
    matches = (re.fullmatch(r"100 faces, ((?:FGSM|PGD).*), contradicted", name) for name in CARD.figures)
    return [match[1] for match in matches if match]
