"""Run the second network on moments of faces, and score crops with both networks fused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detector.backends import selection as backends
from detector.faces.crop import HEAD, INNER, CropSquare, crop_square, head_square
from detector.faces.detections import Detection
from detector.faces.patch import cut_patch
from detector.faces.windows import HEAD as WINDOW_HEAD
from detector.faces.windows import NATIVE, WINDOWS, cut_windows, window_squares
from detector.media.frame import Image
from detector.models.loaded import LoadedModel
from detector.networks import graphs
from detector.schema import analysis as schema
from detector.schema.scores import sigmoid
from detector.scoring.fusion import (
    SCAN,
    SECOND_LOGITS,
    SECOND_NETWORK,
    Explainable,
    Floats,
    Fusion,
    NetworkPart,
    explainable_of_fused,
    fusion_inputs,
    inputs_of,
    second_logits_of,
)
from detector.scoring.moments import (
    AS_IT_IS,
    KeptMoment,
    MomentView,
    crop_in_view,
    square_in_frame,
    squares_in_patch,
    windows_in_view,
)
from detector.scoring.person_look import LEAST_AGREEING, PersonLook, raise_at
from detector.scoring.scorer import FusedLogits, Scorer, run_in_batches

_run = partial(run_in_batches, batch=8)


class SecondNetwork:
    """The second network ``model`` in a back end; ``still`` for faces of a photograph.

    If it reads windows (:mod:`detector.faces.windows`), these answer for the whole head whether a face was
    synthesised, and nothing else asks the inner face about it.
    """

    def __init__(self, model: LoadedModel, backend: str | None, still: bool) -> None:
        self.model = model
        self._backend, *windows = (backends.open_backend(part, backend) for part in model.graphs)
        self._windows = windows[0] if windows else None
        self._still = still
        self._known: dict[bytes, Floats] = {}  # cached logits by crop of a photograph

    @property
    def reads_windows(self) -> bool:
        """Whether it reads windows."""
        return self._windows is not None

    @property
    def unasked(self) -> tuple[int, ...]:
        """The columns of its logits (m, 4) that nothing is read from; they are 0."""
        if not self.reads_windows:
            return ()
        inner = second_logits_of(INNER)[graphs.SYNTHESISED]
        return (inner,) if self._still else (inner, second_logits_of(HEAD)[graphs.ALTERED])

    def outputs_of(self, framing: int) -> tuple[int, ...]:
        """Return the outputs for ``framing``; whole heads in photographs have their own."""
        return graphs.outputs_of(graphs.PHOTOGRAPH if self._still and framing == HEAD else framing)

    def of_moments(
        self, moments: Sequence[KeptMoment], view: MomentView, framings: Sequence[Sequence[int]]
    ) -> Floats:
        """Return logits (m, 4): altered and synthesised of the inner face, then of the whole head.

        ``framings`` are the framings to score for each moment; other logits are NaN and cost nothing.
        """
        size = self.model.card.input.size
        result = np.full((len(moments), SECOND_LOGITS), np.nan)
        heads = [i for i, own in enumerate(framings) if HEAD in own]
        whole = [HEAD] if self._still or not self.reads_windows else []
        places = [
            (i, framing) for i, own in enumerate(framings) for framing in own if framing in (INNER, *whole)
        ]
        if places:
            crops = [crop_in_view(moments[i], view, framing, size) for i, framing in places]
            out = _run(self._backend, crops)
            if self._still and view is AS_IT_IS:
                self._known.update(zip(map(_key, crops), out[:, None], strict=True))
            for (i, framing), logits in zip(places, out, strict=True):
                result[i, second_logits_of(framing)] = logits[list(self.outputs_of(framing))]
        if self._windows is not None and heads:
            altered, synthesised = second_logits_of(HEAD)
            seen = [windows_in_view(moments[i], view, size) for i in heads]
            of_windows = _run(self._windows, [crop for crops in seen for crop in crops]).reshape(
                len(heads), len(WINDOWS), -1
            )
            own = of_windows[:, np.arange(len(WINDOWS)), graphs.window_outputs(self._still)]
            readable = [moments[i].has_readable_windows for i in heads]
            own[:, list(NATIVE)] *= np.array(readable)[:, None]  # 0 is the mean of unmanipulated faces
            result[heads, synthesised] = own.sum(axis=1)
            if self._still:
                result[heads, altered] += of_windows[:, WINDOW_HEAD, graphs.PHOTOGRAPH_ALTERED]
        asked = ~np.isnan(result).all(axis=1)
        result[np.ix_(asked, self.unasked)] = 0.0
        return result

    def of_crops(self, crops: Sequence[Image]) -> Floats:
        """Return the logits (n, c) of crops, cached for photographs.

        Of a network that reads windows they are those of the part that reads faces.
        """
        if len(crops) == 1 and (cached := self._known.get(_key(crops[0]))) is not None:
            return cached
        return _run(self._backend, crops)

    def of_window(self, output: int, crops: Sequence[Image]) -> Floats:
        """Return the logits (n, 1) of an ``output`` for windows."""
        assert self._windows is not None
        return _run(self._windows, crops)[:, [output]]

    def of_photographs(self, crops: Sequence[Image]) -> Floats:
        """Return the logits (n, 1) of whole heads of photographs: *altered*, by both parts."""
        output = self.outputs_of(HEAD)[graphs.ALTERED]
        return self.of_crops(crops)[:, [output]] + self.of_window(graphs.PHOTOGRAPH_ALTERED, crops)


@dataclass(frozen=True)
class BothNetworks:
    """The scan and the second network, and the fusion of their logits."""

    scan: Scorer
    second: SecondNetwork
    fusion: Fusion

    @classmethod
    def of(cls, scan: Scorer, model: LoadedModel) -> Self:
        """Combine ``scan`` with the second network of ``model``."""
        assert model.second_look is not None and model.card.second_look is not None
        second = SecondNetwork(model.second_look, scan.requested_backend, scan.still)
        return cls(scan, second, Fusion.of(model.card.second_look, scan.still, scan.codec))

    @property
    def still(self) -> bool:
        """Whether they judge faces of a photograph."""
        return self.scan.still


def _key(crop: Image) -> bytes:
    return hashlib.sha256(crop.tobytes()).digest()


class FusedScorer(Scorer):
    """The scan's scorer with logits fused with ``looks``, one for each person."""

    def __init__(self, networks: BothNetworks, looks: Sequence[PersonLook]) -> None:
        scan = networks.scan
        super().__init__(scan.loaded, scan._device, scan.still, scan.requested_backend, scan.codec)
        self.card = scan.card.fused
        self._networks = networks
        self._looks = tuple(looks)

    def fuse(self, track: NDArray[np.int32], time: Floats, logits: Floats) -> FusedLogits:
        """Fuse the logits as :meth:`Scorer.fuse`, with raised intervals.

        For persons without a look, the second network says nothing.
        """
        raised = raise_at([interval for look in self._looks for interval in look.raised], track, time)
        halves = self._networks.fusion.halves(self._inputs_at(track, time, logits), raised)
        return FusedLogits(np.maximum(*halves), *halves)

    def second_look_of(self, track: int) -> schema.SecondLook | None:
        look = self._look_of(track)
        if look is None:
            return None
        altered, synthesised = (float(half[0]) for half in self._networks.fusion.halves(look.inputs))
        return schema.SecondLook(
            scan=self._networks.scan.person_probability(look.scan_level),
            altered=sigmoid(altered),
            synthesised=sigmoid(synthesised),
            stability=look.stability,
            views_agree=None if self.still or look.stability is None else look.stability > LEAST_AGREEING,
            contradiction=look.contradiction,
            contrasts=tuple(
                schema.SecondLookContrast(
                    track=interval.track,
                    start=interval.start,
                    end=interval.end,
                    contrast=interval.contrast,
                    raised=interval.amount,
                )
                for interval in look.raised
            ),
            moments=tuple(self._moments(look)),
        )

    def _moments(self, look: PersonLook) -> Iterator[schema.SecondLookMoment]:
        """Yield the moments of ``look`` with their logits; null where nothing was asked."""
        for moment, logits, headed in zip(look.moments, look.second_logits, look.headed, strict=True):
            rounded: list[float | None] = [round(logit, 4) for logit in logits.tolist()]
            for column in (*self._networks.second.unasked, *(() if headed else second_logits_of(HEAD))):
                rounded[column] = None
            inner_altered, inner_synthesised = (rounded[column] for column in second_logits_of(INNER))
            head_altered, head_synthesised = (rounded[column] for column in second_logits_of(HEAD))
            assert inner_altered is not None
            yield schema.SecondLookMoment(
                time=moment.time,
                pts=moment.pts,
                inner_altered=inner_altered,
                inner_synthesised=inner_synthesised,
                head_altered=head_altered,
                head_synthesised=head_synthesised,
            )

    def explainable(self, image: Image, peak: Detection) -> Explainable:
        """Return what :func:`~detector.scoring.fusion.explainable_of_fused` returns."""
        track, time = np.array([peak.track]), np.array([peak.time])
        scan = self._networks.scan
        scanned = scan.logits([crop_square(image, peak.square, scan.card.input.size)])
        look = self._look_of(peak.track)
        raised = raise_at(look.raised if look else (), track, time)
        return explainable_of_fused(
            self._networks.fusion,
            self._inputs_at(track, time, scanned),
            raised,
            self._parts(image, peak),
            partial(self._crop, image, peak),
        )

    def _parts(self, image: Image, peak: Detection) -> tuple[NetworkPart, ...]:
        height, width = image.shape[:2]
        inner, head = peak.square, head_square(peak.box, width, height)
        scan, second = self._networks.scan, self._networks.second

        def of_second(framing: int, square: CropSquare) -> NetworkPart:
            outputs = second.outputs_of(framing)
            return NetworkPart(
                inputs_of(framing),
                second.model,
                outputs,
                framing,
                square,
                lambda crops: second.of_crops(crops)[:, outputs],
            )

        parts = [
            NetworkPart((SCAN,), scan.loaded, None, INNER, inner, lambda crops: scan.logits(crops)[:, None]),
            of_second(INNER, inner),
        ]
        if not second.reads_windows:
            return (*parts, of_second(HEAD, head))
        altered, synthesised = inputs_of(HEAD)
        if self.still:
            output = second.outputs_of(HEAD)[graphs.ALTERED]
            parts.append(NetworkPart((altered,), second.model, (output,), HEAD, head, second.of_photographs))
        return (*parts, *self._window_parts(image, peak, head, synthesised))

    def _window_parts(
        self, image: Image, peak: Detection, head: CropSquare, column: int
    ) -> Iterator[NetworkPart]:
        """Yield the windows of ``peak``, whose sum is the fusion's input ``column``."""
        second, look = self._networks.second, self._look_of(peak.track)
        if self.still and look is not None:
            moment = look.moments[0]
            head = square_in_frame(squares_in_patch(moment, AS_IT_IS)[HEAD], moment, peak.box)
        else:
            patch, windows = cut_patch(image, peak.box), cut_windows(image, peak.box)
            moment = KeptMoment(peak.track, peak.time, peak.pts, patch, peak.roll, windows)
        crops = windows_in_view(moment, AS_IT_IS, second.model.card.input.size)
        squares = window_squares(moment.windows, head)
        tuned = graphs.READINGS * graphs.QUESTIONS
        outputs = graphs.window_outputs(self.still)
        for number, (output, square, crop) in enumerate(zip(outputs, squares, crops, strict=True)):
            if number in NATIVE and not moment.has_readable_windows:
                continue
            yield NetworkPart(
                (column,),
                second.model,
                (tuned + output,),
                HEAD,
                square,
                partial(second.of_window, output),
                crop,
                WINDOWS[number],
            )

    def _crop(self, image: Image, peak: Detection, part: NetworkPart) -> tuple[Image, CropSquare]:
        """Return what ``part`` sees of ``peak``, and where; for a photograph the crop that was judged."""
        if part.crop is not None:
            return part.crop, part.square
        size, look = part.model.card.input.size, self._look_of(peak.track)
        if self.still and SCAN not in part.columns and look is not None:
            moment = look.moments[0]
            square = squares_in_patch(moment, AS_IT_IS)[part.framing]
            return crop_in_view(moment, AS_IT_IS, part.framing, size), square_in_frame(
                square, moment, peak.box
            )
        return crop_square(image, part.square, size), part.square

    def _inputs_at(self, track: NDArray[np.int32], time: Floats, scanned: Floats) -> Floats:
        """Return the fusion's inputs (n, 5) at ``time`` of ``track``, from the scan's logits ``scanned``."""
        fusion = self._networks.fusion
        out = fusion_inputs(scanned, fusion.without_second_look[SECOND_NETWORK])
        for look in self._looks:
            mine = np.isin(track, look.tracks)
            if mine.any():
                out[mine] = look.inputs_at(track[mine], time[mine], scanned[mine], fusion.within)
        return out

    def _look_of(self, track: int) -> PersonLook | None:
        return next((look for look in self._looks if track in look.tracks), None)
