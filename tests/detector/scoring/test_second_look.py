"""The second look: what it adds to the scan's logits, and how an analysis tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detector import analyze
from detector.faces.crop import crop_square
from detector.faces.detections import Detection
from detector.faces.detector import FaceDetector
from detector.faces.framing import head_square
from detector.faces.patch import cut_patch
from detector.models.card import Contrast, FusionHalf, Input, SecondLookCard
from detector.models.loaded import LoadedModel
from detector.networks.base import Network
from detector.schema.analysis import Analysis, ManipulationKind, Parameters, Verdict
from detector.schema.model import Platt
from detector.scoring.fusion import Fusion
from detector.scoring.moments import KeptMoment
from detector.scoring.person_look import PersonLook
from detector.scoring.scorer import Scorer
from detector.scoring.second_look import FusedScorer
from detector.scoring.views import AS_IT_IS, OTHERS, View

HALVES = {
    "altered": FusionHalf(
        inputs=("fast", "inner altered", "head altered"),
        centre=(-1.0, -2.0, 0.5),
        spread=(1.0, 2.0, 1.0),
        weight=(1.0, 1.0, 0.5),
        bias=-1.0,
    ),
    "synthesised": FusionHalf(
        inputs=("inner synthesised", "head synthesised"),
        centre=(-1.5, -2.5),
        spread=(1.0, 1.0),
        weight=(0.5, 1.0),
        bias=-2.0,
    ),
}


class Says(Network):
    """Gives the same six logits whatever it sees; with ``unsteady``, others of mirrored pictures.

    Of four, the heads for photographs say what those of the whole head do.
    """

    gives_tokens = False

    def __init__(self, logits: tuple[float, ...], unsteady: bool = False) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.tensor(logits if len(logits) == 6 else (*logits, *logits[2:])))
        self.look = nn.Conv2d(3, 1, 3, padding=1)
        self.unsteady = unsteady

    @property
    def cam_layer(self) -> nn.Module:
        return self.look

    def forward(self, crops: Tensor) -> Tensor:
        seen = self.look(crops).mean(dim=(1, 2, 3))[:, None]
        out = self.said.expand(len(crops), -1) + 1e-3 * seen
        if self.unsteady:  # what a network that reads brightness by its side would say
            half = crops.shape[-1] // 2
            left, right = crops[..., :half].mean(dim=(1, 2, 3)), crops[..., half:].mean(dim=(1, 2, 3))
            out = out + 3.0 * torch.tanh(4 * (left - right))[:, None]
        return out


def card(platt: Platt | None = None) -> SecondLookCard:
    return SecondLookCard(
        name="says",
        of="0" * 64,
        architecture="vit_small_14",
        sha256="0" * 64,
        input=Input(size=32, mean=(0.5,) * 3, std=(0.5,) * 3),
        probability=platt or Platt(scale=1.0, offset=0.0),
        **HALVES,
    )


def with_second_look(
    model: LoadedModel, network: Network, platt: Platt | None = None, agreement: float | None = None
) -> LoadedModel:
    second = card(platt).model_copy(update={"agreement": agreement})
    changed = model.card.model_copy(update={"second_look": second})
    looks = LoadedModel(second.as_card("says"), network)
    return LoadedModel(changed, weights=model.weights, second_look=looks)


def judged(sample: Path, model: LoadedModel, network: Network, platt: Platt | None = None) -> Analysis:
    changed = with_second_look(model, network.eval(), platt)
    return analyze(sample, model=changed, parameters=Parameters(edge_window=0))


def test_fused_is_a_soft_maximum_of_both_halves() -> None:
    fusion = Fusion.of(card())
    quiet = np.array([[-1.0, -2.0, -1.5, 0.5, -2.5]])  # the centres
    assert fusion.logit(quiet)[0] == pytest.approx(np.log(np.exp(-1.0) + np.exp(-2.0)))
    for column in range(5):
        louder = quiet.copy()
        louder[0, column] += 4
        assert fusion.logit(louder)[0] > fusion.logit(quiet)[0]
    altered, synthesised = fusion.halves(quiet)
    assert (altered[0], synthesised[0]) == (fusion.logit(quiet)[0], -2.0)
    assert fusion.neutral.tolist() == quiet[0].tolist()


def test_a_reserve_holds_the_synthesised_half_back() -> None:
    """It alone must be so much surer; no answer is above what both say together."""
    fusion = Fusion.of(card().model_copy(update={"reserve": 2.0}))
    inputs = np.array([[-1.0, -2.0, -1.5, 0.5, 5.0]])
    plain = Fusion.of(card())
    assert fusion.logit(inputs)[0] == pytest.approx(plain.logit(inputs)[0] - 2, abs=0.01)
    altered, synthesised = fusion.halves(inputs)
    assert altered[0] < synthesised[0] == fusion.logit(inputs)[0]


def test_networks_that_lie_too_far_apart_contradict_each_other() -> None:
    """In standard deviations of each; the centres of both are alike, whatever their logits."""
    fusion = Fusion.of(card().model_copy(update={"agreement": 2.0}))
    inputs = np.tile(fusion.neutral, (4, 1))
    inputs[:, 0] += [0.0, 1.9, 2.1, -2.1]
    assert fusion.apart(inputs) == pytest.approx([0.0, 1.9, 2.1, -2.1])
    assert fusion.contradicts(inputs).tolist() == [False, False, True, True]
    assert not Fusion.of(card()).contradicts(inputs).any(), "without a limit they may"


def test_a_scan_that_the_second_look_contradicts_leaves_the_verdict_open(
    sample: Path, model: LoadedModel
) -> None:
    sure = Says((6.0, -3.0, 6.0, -3.0)).eval()
    agreeing, contradicted = (
        analyze(
            sample,
            model=with_second_look(model, sure, agreement=limit),
            parameters=Parameters(edge_window=0),
        )
        for limit in (None, 1.0)
    )
    assert agreeing.verdict is Verdict.MANIPULATED
    assert contradicted.verdict is Verdict.INCONCLUSIVE and "contradict" in contradicted.reason
    look = contradicted.persons[0].second_look
    assert look is not None and look.contradiction and look.stability == contradicted.stability == 0.5


def test_published_logits_are_scaled() -> None:
    inputs = np.zeros((2, 5))
    plain, scaled = Fusion.of(card()), Fusion.of(card(Platt(scale=2.0, offset=-1.0)))
    assert scaled.logit(inputs) == pytest.approx(2 * plain.logit(inputs) - 1)


def test_beyond_the_knee_published_logits_rise_faster() -> None:
    plain = Fusion.of(card(Platt(scale=0.5, offset=-1.0)))
    bent = Fusion.of(card(Platt(scale=0.5, offset=-1.0)).model_copy(update={"knee": 0.6, "beyond": 1.5}))
    fast = np.zeros((40, 5))
    fast[:, 0] = np.linspace(-5, 10, 40)
    before, after = plain.logit(fast), bent.logit(fast)
    below = before <= 0.6
    assert below.any() and not below.all()
    assert after[below] == pytest.approx(before[below])
    assert after[~below] - 0.6 == pytest.approx(3 * (before[~below] - 0.6))


def test_between_moments_of_a_track_logits_are_interpolated() -> None:
    """Not across a cut; where a track has no moment the mean of all stands for it."""
    strong = np.array([[0.0] * 4, [2.0] * 4, [7.0] * 4])
    look = PersonLook((0, 1, 2), (), np.array([0, 0, 1]), np.array([1.0, 3.0, 3.5]), strong, np.zeros(3), 0.0)
    track, time = np.array([0, 0, 0, 0, 1, 2]), np.array([0.0, 2.0, 3.0, 3.4, 3.45, 9.0])
    at = look.strong_at(track, time, np.zeros(6))
    assert at[:, 0] == pytest.approx([0.0, 1.0, 2.0, 2.0, 7.0, 3.0])
    assert look.inputs.tolist() == [[0.0, *[3.0] * 4]]


def test_between_moments_that_differ_the_scan_says_when() -> None:
    strong, times = np.array([[-4.0] * 4, [4.0] * 4]), np.array([1.0, 3.0])
    look = PersonLook((0,), (), np.zeros(2, np.int32), times, strong, np.array([-3.0, 3.0]), 0.0)
    scanned = np.array([-3.2, -3.0, -2.7, 3.0, 3.5, -3.0])
    at = look.strong_at(np.zeros(6, np.int32), np.array([0.5, 1.5, 2.5, 2.6, 2.9, 4.0]), scanned)
    assert at[:, 0] == pytest.approx([-4.0, -4.0, -3.6, 4.0, 4.0, 4.0])


def test_the_scan_around_a_moment_is_that_of_its_own_track() -> None:
    seen = np.zeros(6, [("track", np.int32), ("time", float), ("logit", float)])
    seen["track"], seen["time"] = [0, 0, 0, 1, 1, 1], [0.0, 0.2, 2.0, 0.1, 0.2, 0.3]
    seen["logit"] = [1.0, 3.0, 8.0, -4.0, -5.0, -6.0]
    patch = cut_patch(np.zeros((90, 90, 3), np.uint8), (30.0, 30.0, 60.0, 60.0))
    moments = [
        KeptMoment(track, time, 0, patch, 0.0) for track, time in ((0, 0.1), (0, 1.5), (1, 0.2), (2, 0.2))
    ]
    look = PersonLook.of([0, 1, 2], moments, np.zeros((4, 4)), seen)
    assert look.scan_at == pytest.approx([2.0, 8.0, -5.0, -0.5])


class Reads(Says):
    """Says how bright the picture is; with ``unsteady``, less of the mirrored one."""

    def forward(self, crops: Tensor) -> Tensor:
        bright = torch.clamp(crops, -1, 1).mean(dim=(1, 2, 3))[:, None]
        out = 14.0 * bright.expand(-1, 4) + 0 * self.said.sum()
        if self.unsteady:
            half = crops.shape[-1] // 2
            out = out * (crops[..., :half].mean() > crops[..., half:].mean())
        return out


def moments_of(astronaut: np.ndarray, brighter: tuple[float, float]) -> list[KeptMoment]:
    """Of five seconds of the astronaut, darker to the right, brighter from one time to another."""
    box = FaceDetector()(astronaut)[0].box
    slope = np.linspace(1.0, 0.7, astronaut.shape[1])[None, :, None]
    out = []
    for time in np.arange(0.25, 5.0, 0.5).tolist():
        light = 1.0 if brighter[0] <= time <= brighter[1] else 0.55
        out.append(KeptMoment(0, time, 0, cut_patch((astronaut * slope * light).astype(np.uint8), box), 0.0))
    return out


@pytest.mark.parametrize("unsteady", [False, True])
def test_what_stands_out_is_raised_if_other_views_agree(
    astronaut: np.ndarray, scan: Scorer, model: LoadedModel, unsteady: bool
) -> None:
    loaded = with_second_look(model, Reads((0.0,) * 4, unsteady).eval())
    fused = loaded.card.second_look
    assert fused is not None
    fused = fused.model_copy(update={"contrast": Contrast(least=2.0, gain=1.5)})
    loaded = replace(loaded, card=loaded.card.model_copy(update={"second_look": fused}))
    scorer = FusedScorer(scan, loaded)
    rows = np.zeros(40, [("track", np.int32), ("time", float), ("logit", float)])
    rows["time"], rows["logit"] = np.arange(40) / 8, -6.0
    look = scorer.look([0], rows, moments_of(astronaut, (2.0, 3.5)), 8)
    assert look is not None and len(look.raised) == 1
    assert (look.raised[0].start, look.raised[0].end) == pytest.approx((2.0, 3.5), abs=0.4)
    settled = scorer.settle(look, 0.9999)
    assert settled.stability is not None
    if unsteady:
        assert settled.stability < 1 or not settled.raised
        return
    assert settled.stability == 1.0 and len(settled.raised) == 1
    scorer.looks.append(settled)
    at = [np.zeros(2, np.int32), np.array([2.75, 0.5]), np.full(2, -6.0)]
    inside, outside = scorer.fuse(*at) - scorer.fusion.logit(np.column_stack([at[2], settled.strong_at(*at)]))
    assert inside > 0.05 and outside == 0.0
    told = scorer.second_look_at([0])
    assert told is not None and told.contrasts[0].raised == settled.raised[0].amount


class OneInput:
    """A fusion whose logit is what the second network says of the inner face, *altered*."""

    def logit(self, inputs: np.ndarray) -> np.ndarray:
        return inputs[:, 1]

    def halves(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return inputs[:, 1], inputs[:, 2]

    def contradicts(self, inputs: np.ndarray) -> np.ndarray:
        return np.zeros(len(inputs), bool)


@pytest.mark.parametrize(
    ("still", "as_it_is", "others", "asked", "stability"),
    [
        (False, -1.3, [], 0, None),  # clearly on one side
        (False, 1.6, [], 0, None),
        (False, -0.9, [-0.6, -0.8, 2.0, 2.0], 2, 1.0),  # the first views leave no doubt
        (False, 0.8, [0.6, 1.4, -2.0, -2.0], 2, 1.0),
        (False, -0.9, [-0.4, -0.8, 2.0, -0.7], 4, 0.8),  # one of them lies near
        (False, 0.8, [-0.6, 1.4, 2.0, -0.7], 4, 0.6),
        (False, 0.6, [1.0, 0.3, 0.7, -2.7], 4, 0.8),  # most of them say so, whatever their mean
        (True, 0.6, [1.0, 0.3, 0.7, -2.7], 4, 0.2),  # of a photograph their mean counts
        (True, -1.3, [-1.0, -0.9, -1.1, -1.2], 4, 1.0),
    ],
)
def test_views_are_asked_until_they_leave_no_doubt_and_most_of_them_count(
    astronaut: np.ndarray,
    scan: Scorer,
    model: LoadedModel,
    still: bool,
    as_it_is: float,
    others: list[float],
    asked: int,
    stability: float | None,
) -> None:
    scorer = FusedScorer(scan, with_second_look(model, Says((0.0,) * 4).eval()))
    scorer.fusion, scorer.still = OneInput(), still
    seen: dict[View, float] = {AS_IT_IS: as_it_is, **dict(zip(OTHERS, others, strict=False))}

    def views(look: PersonLook, chosen: Sequence[int], parts: object, views: Sequence[View]) -> np.ndarray:
        nonlocal asked
        asked -= sum(view is not AS_IT_IS for view in views)
        told = np.zeros((len(views), len(chosen), 5))
        told[:, :, 1] = np.array([seen[view] for view in views])[:, None]
        return told

    scorer._views = views
    rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
    strong = np.tile([as_it_is, -9.0, 0.0, 0.0], (2, 1))
    settled = scorer.settle(PersonLook.of([0], moments_of(astronaut, (9.0, 9.0))[:2], strong, rows), 0.5)
    assert (asked, settled.stability) == (0, stability)
    used = [as_it_is, *others[: 2 if stability == 1.0 and not still else 4]]
    assert settled.inputs[0, 1] == pytest.approx(np.mean(used))


def test_half_of_the_moments_are_enough_of_a_person_who_is_clearly_calm(
    astronaut: np.ndarray, scan: Scorer, model: LoadedModel
) -> None:
    rows = np.zeros(40, [("track", np.int32), ("time", float), ("logit", float)])
    rows["time"], rows["logit"] = np.arange(40) / 8, -6.0
    calm, loud = Says((-9.0,) * 4), Says((9.0, -9.0, 9.0, -9.0))

    def moments(network: Network, doubt: float | None, stretch: slice = slice(0), kept: int = 10) -> int:
        scorer = FusedScorer(scan, with_second_look(model, network.eval()))
        seen = rows.copy()
        seen["logit"][stretch] = 6.0
        look = scorer.look([0], seen, moments_of(astronaut, (9.0, 9.0))[:kept], 8, doubt)
        assert look is not None and np.isfinite(look.strong).all()
        assert [moment.time for moment in look.moments] == sorted(look.times)
        return len(look.moments)

    assert moments(calm, doubt=0.4) == 4
    assert moments(calm, doubt=None) == 8
    assert moments(loud, doubt=0.4) == 8
    assert moments(calm, doubt=1e-9) == 8, "not clearly below it"
    assert moments(calm, doubt=0.4, stretch=slice(18, 28)) >= 8, "something stands out in the scan"
    assert moments(calm, doubt=0.4, kept=6) == 5, "few as they are"


def test_a_clear_second_look_decides_and_the_analysis_tells_of_it(sample: Path, model: LoadedModel) -> None:
    loud = judged(sample, model, Says((9.0, -9.0, 9.0, -9.0)))
    assert loud.verdict is Verdict.MANIPULATED
    assert loud.model.second_look is not None and loud.model.second_look.name == "says"
    assert loud.model.temperature == 1.0 and loud.model.segment is None
    (person,) = [p for p in loud.persons if p.id == "A"]
    look = person.second_look
    assert look is not None and look.stability is None
    assert look.altered > 0.9 > look.synthesised
    assert loud.answers is not None
    looks = [p.second_look for p in loud.persons if p.second_look is not None]
    assert loud.answers.altered == max(each.altered for each in looks)
    assert loud.answers.synthesised == max(each.synthesised for each in looks)
    assert "replaced or altered" in loud.reason and loud.kind is ManipulationKind.EDITED
    assert 1 <= len(look.moments) <= 8
    assert look.moments[0].inner_altered == pytest.approx(9.0, abs=0.05)
    assert all(segment.peaks for segment in loud.segments)
    assert Analysis.from_json(loud.to_json()) == loud


def test_what_is_synthesised_is_said_so(sample: Path, model: LoadedModel) -> None:
    analysis = judged(sample, model, Says((-9.0, 9.0, -9.0, 9.0)))
    assert analysis.verdict is Verdict.MANIPULATED
    (person,) = [p for p in analysis.persons if p.id == "A"]
    look = person.second_look
    assert look is not None and look.synthesised > 0.9
    assert "generated as a whole" in analysis.reason and analysis.kind is ManipulationKind.GENERATED
    assert look.moments[0].head_synthesised == pytest.approx(9.0, abs=0.05)
    assert look.moments[0].head_altered == pytest.approx(-9.0, abs=0.05)


def test_the_map_is_of_what_the_deciding_network_sees(
    astronaut: np.ndarray, scan: Scorer, model: LoadedModel
) -> None:
    """The inner face where the scan decides, the whole head where the second look's head does."""
    face = FaceDetector()(astronaut)[0]
    peak = Detection(0, 0.0, 0, 0, True, face.box, 0.0, 0.0, 0.0)
    sides = {}
    for name, said in (("scan", (-9.0,) * 4), ("head", (-9.0, -9.0, -9.0, 9.0))):
        scorer = FusedScorer(scan, with_second_look(model, Says(said).eval()))
        moment = KeptMoment(0, 0.0, 0, cut_patch(astronaut, face.box), 0.0)
        rows = np.zeros(1, [("track", np.int32), ("time", float), ("logit", float)])
        look = scorer.look([0], rows, [moment], 8)
        assert look is not None
        scorer.looks.append(look)
        explainable = scorer.explainable(astronaut, peak)
        sides[name] = explainable.square.side
        fast = scan.logits([crop_square(astronaut, peak.square, scan.card.input.size)])
        deciding = scorer.fuse(np.array([0]), np.zeros(1), fast)
        assert explainable.logits([explainable.crop]) == pytest.approx(deciding, abs=1e-6)
    assert sides["scan"] == pytest.approx(peak.square.side)
    assert sides["head"] == pytest.approx(head_square(face.box, *astronaut.shape[1::-1]).side)


def test_without_a_second_look_all_is_as_it_was(
    sample: Path, scanned_alone: Analysis, model: LoadedModel
) -> None:
    """``second_look`` 0 gives what a model without one gives, whatever the other network would say."""
    given = scanned_alone
    expected = analyze(sample, model=model.alone, parameters=Parameters(edge_window=0))
    assert given.persons == expected.persons and given.segments == expected.segments
    assert given.model.second_look is None and given.stability is None and given.answers is None


@pytest.fixture(scope="module")
def scan(model: LoadedModel) -> Scorer:
    return Scorer(model.alone)


@pytest.fixture(scope="module")
def photo(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait whose left half is darker than the right."""
    path = tmp_path_factory.mktemp("photo") / "portrait.png"
    slope = np.linspace(0.6, 1.0, astronaut.shape[1])[None, :, None]
    cv2.imwrite(str(path), (astronaut * slope).astype(np.uint8)[..., ::-1])
    return path


def test_a_quiet_one_can_overrule_the_scan(photo: Path, model: LoadedModel) -> None:
    quiet = judged(photo, model, Says((-9.0, -9.0, -9.0, -9.0)), Platt(scale=1.0, offset=-4.0))
    assert quiet.verdict is Verdict.NOT_FOUND
    look = quiet.persons[0].second_look
    assert look is not None and len(look.moments) == 1
    assert quiet.probability is not None and quiet.probability < 0.1 and quiet.kind is None


@pytest.mark.parametrize("said", [(-9.0, -9.0, -9.0, -9.0), (0.0, -2.0, 1.0, 2.0), (9.0, -9.0, 9.0, -9.0)])
def test_the_probability_of_a_photo_is_the_larger_of_its_answers(
    photo: Path, model: LoadedModel, said: tuple[float, ...]
) -> None:
    analysis = judged(photo, model, Says(said))
    assert analysis.answers is not None
    larger = max(analysis.answers.altered, analysis.answers.synthesised)
    assert analysis.probability == pytest.approx(larger, abs=1e-6)


def test_of_a_photo_the_heads_for_photographs_count(photo: Path, sample: Path, model: LoadedModel) -> None:
    network = Says((-2.0, -1.5, 0.5, -2.5, 7.0, 8.0))
    for exhibit, told in ((photo, (7.0, 8.0)), (sample, (0.5, -2.5))):
        look = judged(exhibit, model, network).persons[0].second_look
        assert look is not None
        moment = look.moments[0]
        assert (moment.inner_altered, moment.inner_synthesised) == pytest.approx((-2.0, -1.5), abs=0.01)
        assert (moment.head_altered, moment.head_synthesised) == pytest.approx(told, abs=0.01)


def test_a_verdict_that_other_views_contradict_is_inconclusive(photo: Path, model: LoadedModel) -> None:
    """The mirrored view says the opposite; where the threshold lies between both, nobody should decide."""
    seen = {}
    for offset in np.arange(-5.0, 6.0, 1.0).tolist():
        network = Says((-2.0, -1.5, 0.5, -2.5), unsteady=True)
        analysis = judged(photo, model, network, Platt(scale=1.0, offset=offset))
        seen[offset] = analysis.stability, analysis.verdict
        if analysis.stability is not None and analysis.stability < 0.7:
            assert analysis.verdict is Verdict.INCONCLUSIVE
            assert "small changes" in analysis.reason
            break
    assert any(stability is not None and stability < 0.7 for stability, _ in seen.values()), seen
    steady = judged(photo, model, Says((-2.0, -1.5, 0.5, -2.5)), Platt(scale=1.0, offset=8.0))
    assert steady.stability in (None, 1.0)
