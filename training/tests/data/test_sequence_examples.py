"""Examples for sequence networks: by number alone, shapes, labels, both classes treated alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_faces import crop, encoded, samples
from torch.utils.data import DataLoader

from detector.errors import ParameterError
from detector.face_blending import TEMPLATE
from training.data.labelled_sets import DataSetError
from training.data.research_faces import MARGIN, MovingFace
from training.data.sequence_examples import SequenceExample, Sequences, Shares, pad_sequences

SIZE = 64
KINDS = tuple(Shares.model_fields)


def only(*kinds: str) -> Shares:
    return Shares(**{kind: (kind in kinds) / len(kinds) for kind in KINDS})


def people(count: int = 3, frames: int = 34) -> list[MovingFace]:
    """Patterns that brighten from frame to frame, so that frames tell their number."""
    side = round(100 * MARGIN)
    points = (TEMPLATE * 100 + (side - 100) / 2).astype(np.float32)
    out = []
    for person in range(count):
        base = crop(300 + person, False, side) // 2
        shown = tuple(encoded(base + np.uint8(2 * i), ".jpg") for i in range(frames))
        out.append(MovingFace(f"c{person}", shown, np.repeat(points[None], frames, axis=0)))
    return out


PEOPLE, SAMPLES = people(), samples()


def sequences(shares: Shares | None = None, seed: int = 1, first: int = 0, last: int = 24) -> Sequences:
    return Sequences(PEOPLE, SAMPLES, SIZE, seed, first, last, shares=shares)


def test_shapes_and_labels() -> None:
    made = sequences()
    assert len(made) == 24
    lengths = set()
    for i in range(10):
        frames, label = made[i]
        assert frames.dtype == torch.uint8 and frames.shape[1:] == (3, SIZE, SIZE)
        assert 10 <= len(frames) <= 30 and label in {0.0, 1.0}
        lengths.add(len(frames))
    assert len(lengths) > 4


def test_by_number_alone() -> None:
    whole, resumed = sequences(), sequences(first=15)
    for i in reversed(range(2)):
        frames, label = whole[15 + i]
        again, same = resumed[i]
        assert torch.equal(frames, again) and label == same
    assert not torch.equal(sequences(seed=2)[0][0][:10], whole[0][0][:10])


@pytest.mark.parametrize("kind", KINDS)
def test_labels_by_kind(kind: str) -> None:
    """And which frames are manipulated: all, none, or for some carried blends one interval."""
    made = sequences(only(kind), last=3)
    for i in range(3):
        example = made.example(i)
        assert example.kind == kind and example.label == float(not kind.endswith("_real"))
        assert example.manipulated.shape == (len(example.frames),)
        share = example.manipulated.mean()
        assert share == example.label or (0.3 < share < 0.8 and kind.split("_")[0] in {"clip", "photo"})


def test_some_are_manipulated_in_part() -> None:
    made = sequences(only("clip_blend"), last=8)
    partly = [i for i in range(8) if not made.example(i).manipulated.all()]
    assert 1 <= len(partly) <= 4


def test_half_are_real_in_each_source() -> None:
    shares = Shares().model_dump()
    assert sum(shares.values()) == pytest.approx(1)
    for source in ("still", "clip", "photo"):
        of_source = {kind: share for kind, share in shares.items() if kind.startswith(source)}
        assert of_source[f"{source}_real"] == pytest.approx(sum(of_source.values()) / 2)


def twins(real: str, fake: str, count: int) -> list[tuple[SequenceExample, SequenceExample]]:
    """The same numbers drawn as one kind and as the other."""
    a, b = sequences(only(real), last=count), sequences(only(fake), last=count)
    return [(a.example(i), b.example(i)) for i in range(count)]


@pytest.mark.parametrize(("real", "fake"), [("photo_real", "photo_swap"), ("clip_real", "clip_swap")])
def test_alike_but_for_the_blend(real: str, fake: str) -> None:
    """The same frames, framing, motion, events and light: away from the face they are one."""
    for a, b in twins(real, fake, 2):
        assert len(a.frames) == len(b.frames)
        pairs = zip(a.frames, b.frames, strict=True)
        corner = [np.abs(x[:6, :6].astype(float) - y[:6, :6]).mean() for x, y in pairs]
        assert np.mean(corner) < 9  # codecs spend their bits elsewhere, and that is all


def test_real_stills_move_as_fake_ones_do() -> None:
    real = [s for s in SAMPLES if s.framed and not s.label]
    fake = [replace(s, label=1, landmarks=None) for s in real]
    first = Sequences([], real, SIZE, 1, 0, 3, shares=only("still_real"))
    second = Sequences([], fake, SIZE, 1, 0, 3, shares=only("still_fake"))
    for i in range(3):
        assert torch.equal(first[i][0], second[i][0]) and (first[i][1], second[i][1]) == (0, 1)


def test_padded() -> None:
    batch = [(torch.full((n, 3, 8, 8), n, dtype=torch.uint8), float(n > 11)) for n in (10, 12, 11)]
    frames, present, labels = pad_sequences(batch)
    assert frames.shape == (3, 12, 3, 8, 8) and frames.dtype == torch.uint8
    assert present.dtype == torch.bool and present.sum(dim=1).tolist() == [10, 12, 11]
    assert labels.tolist() == [0, 1, 0] and labels.dtype == torch.float32
    assert (frames[~present] == 0).all() and (frames[0][present[0]] == 10).all()
    assert present[0].tolist() == [True] * 10 + [False] * 2


def test_in_a_loader() -> None:
    loader = DataLoader(sequences(last=4), 2, collate_fn=pad_sequences)
    for frames, present, labels in loader:
        assert frames.shape[:2] == present.shape and len(labels) == 2


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"0\.500"):
        sequences(Shares(**{**dict.fromkeys(KINDS, 0.0), "clip_real": 0.5}))
    with pytest.raises(DataSetError, match="clip_real has a share of 0.15, but.*research folder"):
        Sequences([], SAMPLES, SIZE, 1, 0, 4)
    with pytest.raises(ParameterError, match="even"):
        Sequences(PEOPLE, SAMPLES, 63, 1, 0, 4)
