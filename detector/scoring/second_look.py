"""The second look: a stronger network at a few moments of each person, fused with what the scan said.

The scan's network is fast and sees every sampled frame; the second look's sees larger crops of about eight
moments of each person, the inner face and the whole head; a transformer may look at the head as well. What
they give there holds for the time in between as well: logits are interpolated, drawn towards their mean
(:data:`LOCAL`), and fused with the scan's frame by frame (:mod:`detector.scoring.fusion`), so that all later
rules go on as they are.

Where the fused score is not clearly on one side of the threshold, the moments are looked at in further views:
mirrored, shifted, scaled and re-encoded. Their mean counts, and how many agree is the *stability*.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.backends import selection as backends
from detector.faces import tracks
from detector.faces.crop import CropSquare, crop_square
from detector.faces.detections import Detection
from detector.faces.framing import head_square, inner_square
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.schema import analysis as schema
from detector.scoring.first_pass import FirstPass
from detector.scoring.fusion import Floats, Fusion
from detector.scoring.moments import KeptMoment, MomentKeeper, spread
from detector.scoring.scorer import Explainable, Scorer, logit_of, run_in_batches, sigmoid

LOCAL = 0.75
"""How much the second look's logits follow single moments; the rest is the mean of the person's moments."""
_CLEAR = 1.5  # of the logit, from the threshold: beyond it, other views are not looked at
_USABLE_PER_MOMENT = 3
_run = partial(run_in_batches, batch=8)


@dataclass(frozen=True)
class View:
    """How the same moment is looked at once more; shift in sides of the square, ``quality`` of a JPEG."""

    mirrored: bool = False
    dx: float = 0.0
    dy: float = 0.0
    scale: float = 1.0
    quality: int | None = None


AS_IT_IS = View()
OTHERS = (View(mirrored=True), View(dx=0.02, dy=0.012), View(scale=1.1), View(quality=60))


@dataclass(frozen=True)
class PersonLook:
    """What the second look found of one person: ``strong`` are logits (m, 6) at ``times`` (m,)."""

    tracks: tuple[int, ...]
    moments: tuple[KeptMoment, ...]
    times: Floats
    strong: Floats
    scan_level: float  # mean logit of the fast network
    stability: float | None

    def strong_at(self, times: Floats) -> Floats:
        """Logits (n, 6) at ``times`` (n,)."""
        mean = self.strong.mean(axis=0)
        local = np.column_stack([np.interp(times, self.times, column) for column in self.strong.T])
        out: Floats = mean + LOCAL * (local - mean)
        return out

    @property
    def inputs(self) -> Floats:
        """The inputs (1, 7) of the fusion, means over the person's time."""
        return np.array([[self.scan_level, *self.strong.mean(axis=0)]])


class _Part(NamedTuple):
    """What one network sees of a face: ``run`` gives its logits (n, c) of the fusion's inputs ``columns``."""

    columns: tuple[int, ...]
    model: LoadedModel
    outputs: tuple[int, ...] | None  # of the network, one for each column; None: it has one
    square: CropSquare
    run: Callable[[Sequence[Image]], Floats]


class FusedScorer(Scorer):
    """A scorer whose logits are fused with what the second look found of each person."""

    def __init__(self, scan: Scorer, model: LoadedModel) -> None:
        assert model.second_look is not None and model.card.second_look is not None
        self.__dict__.update(scan.__dict__)
        self._scan = scan
        self._second = model.second_look
        self._transformer = model.transformer
        self._second_backend = backends.open_backend(model.second_look, scan.requested_backend)
        self._transformer_backend = (
            backends.open_backend(model.transformer, scan.requested_backend) if model.transformer else None
        )
        self.card = scan.card.fused
        self.fusion = Fusion.of(model.card.second_look)
        self.looks: list[PersonLook] = []

    def fuse(self, track: NDArray[np.int32], time: Floats, logits: Floats) -> Floats:
        """See :meth:`Scorer.fuse`. For people who were not looked at, the second network says nothing."""
        return self.fusion.logit(np.column_stack([logits, self._strong_at(track, time)]))

    def second_look_at(self, tracks: Collection[int]) -> schema.SecondLook | None:
        look = self._look_of(next(iter(tracks)))
        if look is None:
            return None
        altered, synthesised = (float(half[0]) for half in self.fusion.halves(look.inputs))
        return schema.SecondLook(
            scan=self._scan.exhibit_probability(look.scan_level),
            altered=sigmoid(altered),
            synthesised=sigmoid(synthesised),
            stability=look.stability,
            moments=tuple(map(self._told, look.moments, look.strong.tolist())),
        )

    def _told(self, moment: KeptMoment, logits: Sequence[float]) -> schema.SecondLookMoment:
        rounded = [round(logit, 4) for logit in logits]
        inner_altered, inner_synthesised, head_altered, head_synthesised, *transformer = rounded
        return schema.SecondLookMoment(
            time=moment.time,
            pts=moment.pts,
            inner_altered=inner_altered,
            inner_synthesised=inner_synthesised,
            head_altered=head_altered,
            head_synthesised=head_synthesised,
            transformer_altered=transformer[0] if self._transformer else None,
            transformer_synthesised=transformer[1] if self._transformer else None,
        )

    def explainable(self, image: Image, peak: Detection) -> Explainable:
        """What the network without which the score falls most sees of ``peak``; others stay as they are."""
        ((strong),) = self._strong_at(np.array([peak.track]), np.array([peak.time]))
        small = crop_square(image, peak.square, self._scan.card.input.size)
        inputs = np.array([[float(self._scan.logits([small])[0]), *strong]])
        part = min(self._parts(image, peak), key=lambda each: self._without(inputs, each.columns))
        column = min(part.columns, key=lambda each: self._without(inputs, (each,)))
        crop = crop_square(image, part.square, part.model.card.input.size)
        as_it_is = part.run([crop])

        def of_part(crops: Sequence[Image]) -> Floats:
            changed = np.tile(inputs, (len(crops), 1))
            changed[:, part.columns] += part.run(crops) - as_it_is
            return self.fusion.logit(changed)

        outputs = None if part.outputs is None else (part.outputs[part.columns.index(column)],)
        return Explainable(crop, part.square, part.model.network, part.model.card.input, outputs, of_part)

    def _parts(self, image: Image, peak: Detection) -> Iterator[_Part]:
        height, width = image.shape[:2]
        inner, head = peak.square, head_square(peak.box, width, height)
        yield _Part((0,), self._scan.loaded, None, inner, lambda crops: self._scan.logits(crops)[:, None])
        of_second = partial(_run, self._second_backend)
        yield _Part((1, 2), self._second, (0, 1), inner, lambda crops: of_second(crops)[:, :2])
        yield _Part((3, 4), self._second, (2, 3), head, lambda crops: of_second(crops)[:, 2:])
        if self._transformer is not None and self._transformer_backend is not None:
            of_transformer = partial(_run, self._transformer_backend)
            yield _Part((5, 6), self._transformer, (2, 3), head, lambda crops: of_transformer(crops)[:, 2:])

    def _without(self, inputs: Floats, columns: tuple[int, ...]) -> float:
        """The fused logit if the inputs in ``columns`` said nothing."""
        silent = inputs.copy()
        silent[0, columns] = self.fusion.neutral[list(columns)]
        return float(self.fusion.logit(silent)[0])

    def look(self, group: Sequence[int], moments: Sequence[KeptMoment], level: float) -> PersonLook:
        """Look at ``moments`` of the person of the tracks ``group``; ``level`` is the scan's mean logit."""
        times = np.array([moment.time for moment in moments])
        return PersonLook(tuple(group), tuple(moments), times, self._strong(moments, AS_IT_IS), level, None)

    def views(self, look: PersonLook) -> Floats:
        """The fusion's inputs (v, 7) over every other moment, as it is and in other views."""
        moments = look.moments[::2]
        strong = [look.strong[::2], *(self._strong(moments, view) for view in OTHERS)]
        fast = [self._fast_level(moments, view) for view in (AS_IT_IS, *OTHERS)]
        return np.column_stack([fast, [logits.mean(axis=0) for logits in strong]])

    def settle(self, look: PersonLook, enter: float) -> PersonLook:
        """``look``, or where its probability is near ``enter`` the mean over views, with its stability."""
        threshold = logit_of(enter)
        if abs(float(self.fusion.logit(look.inputs)[0]) - threshold) > _CLEAR:
            return look
        seen = self.views(look)
        # What a view changes, added to what the person amounts to as it is.
        moved = seen - seen[0] + look.inputs
        mean = moved.mean(axis=0)
        flagged = float(self.fusion.logit(mean[None])[0]) >= threshold
        return replace(
            look,
            strong=look.strong + (mean[1:] - look.inputs[0, 1:]),
            stability=float(np.mean((self.fusion.logit(moved) >= threshold) == flagged)),
        )

    def _fast_level(self, moments: Sequence[KeptMoment], view: View) -> float:
        """The fast network's mean logit over ``moments`` in one view."""
        size = self._scan.card.input.size
        return float(self._scan.logits([_framings(moment, view, size)[0] for moment in moments]).mean())

    def _strong(self, moments: Sequence[KeptMoment], view: View) -> Floats:
        """Logits (m, 6) of both networks, as :class:`~detector.schema.analysis.SecondLookMoment`."""
        size = self._second.card.input.size
        out = _run(
            self._second_backend, [crop for moment in moments for crop in _framings(moment, view, size)]
        )
        # Inner face and head in turn; each framing has its own two of the four logits.
        inner, head = out[0::2, :2], out[1::2, 2:]
        if self._transformer is None or self._transformer_backend is None:
            return np.column_stack([inner, head, np.zeros_like(head)])
        size = self._transformer.card.input.size
        heads = [_framings(moment, view, size)[1] for moment in moments]
        return np.column_stack([inner, head, _run(self._transformer_backend, heads)[:, 2:]])

    def _strong_at(self, track: NDArray[np.int32], time: Floats) -> Floats:
        """The second look's logits (n, 6) at ``time`` of ``track``."""
        out = np.tile(self.fusion.neutral[1:], (len(time), 1))
        for look in self.looks:
            mine = np.isin(track, look.tracks)
            if mine.any():
                out[mine] = look.strong_at(time[mine])
        return out

    def _look_of(self, track: int) -> PersonLook | None:
        return next((look for look in self.looks if track in look.tracks), None)


def look_again(
    model: LoadedModel,
    scan: Scorer,
    first_pass: FirstPass,
    keeper: MomentKeeper,
    parameters: schema.Parameters,
    report: Callable[[float], None],
) -> Scorer:
    """The scorer that decides, once every person of ``first_pass`` was looked at in the moments kept.

    The logits of its detections are fused; ``report`` is told the share done. The scan's own scorer where
    there is nothing to look at.
    """
    rows = first_pass.detections.rows
    usable = rows[~np.isnan(rows["logit"])]
    if not len(usable):
        return scan
    scorer = FusedScorer(scan, model)
    groups = tracks.persons(first_pass.tracks)
    for done, group in enumerate(groups):
        report(done / len(groups))
        mine = usable[np.isin(usable["track"], group)]
        moments = spread(keeper.of(group), mine["time"], moments_wanted(parameters, len(mine)))
        if moments:
            look = scorer.look(group, moments, float(mine["logit"].mean()))
            scorer.looks.append(scorer.settle(look, parameters.enter_threshold))
    known = ~np.isnan(rows["logit"])
    rows["logit"][known] = scorer.fuse(rows["track"][known], rows["time"][known], rows["logit"][known])
    return scorer


def moments_wanted(parameters: schema.Parameters, usable: int) -> int:
    """How many moments of a person with so many usable faces are looked at."""
    return min(parameters.second_look, -(-usable // _USABLE_PER_MOMENT))


def _framings(moment: KeptMoment, view: View, size: int) -> tuple[Image, Image]:
    """Inner face and head, as ``view`` has them."""
    image, box, _ = moment.patch
    height, width = image.shape[:2]
    inner = inner_square(box, moment.lean, view.scale, view.dx, view.dy)
    head = head_square(box, width, height, view.scale, view.dx, view.dy)
    seen = [_seen(crop_square(image, square, size), view) for square in (inner, head)]
    return seen[0], seen[1]


def _seen(crop: Image, view: View) -> Image:
    if view.quality is not None:
        _, data = cv2.imencode(
            ".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, view.quality]
        )
        crop = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(crop[:, ::-1]) if view.mirrored else crop
