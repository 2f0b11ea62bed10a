"""A data set of one's own: what is shown of its files, what is drawn of that, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import write_clip
from made_faces import encoded
from own_set import SIZE, put, recipe

from detector.errors import ParameterError
from detector.media.frame import Frame
from detector.media.reader import MediaReader
from detector.scoring.scorer import framed_crop
from training.data import own_sets
from training.data.labelled_sets import DataSetError
from training.data.own_sets import open_own_set
from training.data.research_faces import Sample
from training.data.streamed_videos import VideoSkippedWarning


def level(frames: torch.Tensor) -> float:
    return float(frames.float().mean())


def drawn(examples: Iterable[object], count: int) -> list[tuple[torch.Tensor, float]]:
    return [(examples[i][0], examples[i][1]) for i in range(count)]  # type: ignore[index]


@pytest.mark.usefixtures("every_frame_a_face")
class TestCrops:
    def test_examples_and_validation(self, pictures: Path) -> None:
        examples, validation = open_own_set(recipe(), pictures, 0, None)
        assert len(examples) == 60  # type: ignore[arg-type]
        for image, label, where in (examples[i] for i in range(8)):
            assert image.shape == (3, SIZE, SIZE) and image.dtype == torch.uint8
            assert label in {0.0, 1.0} and where.shape == (2, 2)
        assert sorted(label for _, label in drawn(validation, 2)) == [0.0, 1.0]
        assert len(validation) == 2  # type: ignore[arg-type]

    def test_validation_is_framed_once_and_undegraded(self, pictures: Path) -> None:
        """A ramp from black to white loses two hundredths at either end."""
        ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 1, 3))
        for path in (pictures / "val").rglob("*.png"):
            path.write_bytes(encoded(np.ascontiguousarray(ramp if path.stem == "vr" else ramp[:, ::-1])))
        _, validation = open_own_set(recipe(), pictures, 0, None)
        images = {label: image for image, label in drawn(validation, 2)}
        plain = framed_crop(ramp, SIZE).transpose(2, 0, 1).astype(float)
        assert plain[:, :, 0].mean() == pytest.approx(0.02 * 255, abs=2)
        assert np.abs(images[0.0].numpy() - plain).max() < 4
        assert np.abs(images[1.0].numpy() - plain[:, :, ::-1]).max() < 4

    @pytest.mark.parametrize("share", [0.2, 0.8])
    def test_the_share_of_fakes_is_the_recipes(self, pictures: Path, share: float) -> None:
        """Whatever the set holds, here one in five."""
        examples = open_own_set(recipe(fake_share=share), pictures, 0, None).examples
        labels = [label for _, label in drawn(examples, 60)]
        assert np.mean(labels) == pytest.approx(share, abs=0.15)

    def test_a_resumed_run_sees_what_it_would_have_seen(self, pictures: Path) -> None:
        whole = open_own_set(recipe(), pictures, 0, None).examples
        rest = open_own_set(recipe(), pictures, 50, None).examples
        assert len(rest) == 10  # type: ignore[arg-type]
        for i in (0, 9):
            assert torch.equal(rest[i][0], whole[50 + i][0]) and rest[i][1] == whole[50 + i][1]

    def test_frames_of_videos(self, videos: Path) -> None:
        """Validation holds each of the frames asked for, where a clip has so many."""
        _, validation = open_own_set(recipe(frames=5), videos, 0, None)
        seen = drawn(validation, len(validation))  # type: ignore[arg-type]
        assert [label for _, label in seen].count(1.0) == 5 and len(seen) == 9
        assert all((level(image) > 150) == bool(label) for image, label in seen)


@pytest.mark.usefixtures("every_frame_a_face")
class TestSequences:
    def test_examples_are_whole_clips_in_order(self, videos: Path) -> None:
        config = recipe(architecture="efficientnet_lstm", samples=24)
        examples, validation = open_own_set(config, videos, 4, None)
        assert len(examples) == 20  # type: ignore[arg-type]
        for frames, label in drawn(examples, 6):
            assert frames.shape == (6, 3, SIZE, SIZE) and frames.dtype == torch.uint8
            assert label in {0.0, 1.0}
        tested = drawn(validation, len(validation))  # type: ignore[arg-type]
        assert sorted((len(frames), label) for frames, label in tested) == [(4, 0.0), (5, 1.0)]
        for frames, _ in tested:
            levels = [level(frame) for frame in frames]
            assert np.diff(levels) == pytest.approx(2, abs=1.2), "in the order of time, undegraded"

    def test_an_odd_size_is_refused(self, videos: Path) -> None:
        with pytest.raises(ParameterError, match="63 must be even"):
            open_own_set(recipe(architecture="efficientnet_lstm", size=63), videos, 0, None)

    def test_share_and_resumption(self, videos: Path) -> None:
        config = recipe(architecture="efficientnet_lstm", fake_share=0.25, frames=2)
        whole, rest = (open_own_set(config, videos, seen, None).examples for seen in (0, 28))
        assert np.mean([label for _, label in drawn(whole, 40)]) == pytest.approx(0.25, abs=0.15)
        for i in (0, 11):
            assert torch.equal(rest[i][0], whole[28 + i][0]) and rest[i][1] == whole[28 + i][1]

    def test_mirrored_and_worn_as_a_whole(self, tmp_path: Path) -> None:
        """A clip that holds still is mirrored all over or not at all."""
        picture = np.full((96, 160, 3), 60, np.uint8)
        picture[:, 80:] = 200
        for split in ("train", "val"):
            for label in ("real", "fake"):
                (tmp_path / split / label).mkdir(parents=True)
                shade = picture + np.uint8(10 * (label == "fake") + 3 * (split == "val"))
                write_clip(tmp_path / split / label / f"{split}-{label}.mp4", [shade] * 6)
        config = recipe(architecture="efficientnet_lstm", frames=4)
        sides = []
        for frames, _ in drawn(open_own_set(config, tmp_path, 0, None).examples, 24):
            right = [level(f[:, :, -16:]) > level(f[:, :, :16]) for f in frames]
            assert len(set(right)) == 1
            sides += right[:1]
        assert 4 < sum(sides) < 20

    def test_a_picture_is_a_sequence_of_one(self, pictures: Path) -> None:
        examples, _ = open_own_set(recipe(architecture="efficientnet_lstm"), pictures, 0, None)
        assert all(frames.shape == (1, 3, SIZE, SIZE) for frames, _ in drawn(examples, 12))


@pytest.mark.usefixtures("every_frame_a_face")
class TestStreamed:
    def test_as_many_as_the_recipe_asks_for(self, videos: Path) -> None:
        """Epoch after epoch; an epoch is six clips here, of one frame a half second."""
        examples, validation = open_own_set(recipe(streamed=True, samples=20), videos, 3, None)
        seen = list(examples)  # type: ignore[call-overload]
        assert len(seen) == 17
        assert all(image.shape == (3, SIZE, SIZE) and image.dtype == torch.uint8 for image, _ in seen)
        labels = [label for _, label in seen]
        assert 7 <= sum(labels) <= 10
        assert len(validation) == 9  # type: ignore[arg-type]

    def test_epochs_differ_and_runs_repeat(self, videos: Path) -> None:
        def run(seen: int) -> list[bytes]:
            examples = open_own_set(recipe(streamed=True, samples=12), videos, seen, None).examples
            return [image.numpy().tobytes() for image, _ in examples]  # type: ignore[attr-defined]

        first = run(0)
        assert run(0) == first and first[:6] != first[6:]
        assert run(6) != first[:6]

    def test_pictures_and_sequence_networks_are_refused(self, videos: Path, pictures: Path) -> None:
        with pytest.raises(ParameterError, match="reads sequences"):
            open_own_set(recipe(streamed=True, architecture="efficientnet_lstm"), videos, 0, None)
        with pytest.raises(DataSetError, match="only those can be streamed"):
            open_own_set(recipe(streamed=True), pictures, 0, None)

    def test_what_would_not_be_heeded_is_refused(self, videos: Path) -> None:
        for wish in (recipe(streamed=True, fake_share=0.3), recipe(streamed=True, hidden=0.5)):
            with pytest.raises(ParameterError, match="alternate"):
                open_own_set(wish, videos, 0, None)

    def test_of_a_video_so_many_frames_as_the_recipe_says(
        self, videos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        examples = open_own_set(recipe(frames=5, streamed=True, samples=2), videos, 0, None).examples
        rates: list[float] = []

        def no_frames(_: MediaReader, rate: float) -> Iterator[Frame]:
            rates.append(rate)
            return iter(())

        monkeypatch.setattr(MediaReader, "frames", no_frames)
        monkeypatch.setattr(MediaReader, "expected_duration", 10.0)
        with pytest.warns(VideoSkippedWarning), pytest.raises(DataSetError):
            list(examples)  # type: ignore[call-overload]
        assert set(rates) == {0.5}


@pytest.mark.usefixtures("every_frame_a_face")
class TestFailures:
    def listed(self, folder: Path, **probabilities: float) -> Path:
        """An evaluation's list: pictures by name, and the probability each got."""
        entries = []
        for name, probability in probabilities.items():
            (path,) = folder.rglob(f"{name}.png")
            label = path.parent.name
            group = {"path": str(path), "label": label, "group": name, "data": "mine"}
            entries.append({**group, "probability": probability})
        out = folder.parent / "failures.json"
        out.write_text(json.dumps(entries))
        return out

    def pools(self, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
        """How often each group stands in what examples are drawn from."""
        groups: Counter[str] = Counter()

        class Spied(own_sets.Examples):
            def __init__(self, samples: list[Sample], *rest: object) -> None:
                groups.update(sample.group for sample in samples)
                super().__init__(samples, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(own_sets, "Examples", Spied)
        return groups

    def test_half_are_failures_and_the_worse_come_oftener(
        self, pictures: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ten to learn from; two failures add ten more, shared out as 0.8 to 0.2."""
        groups = self.pools(monkeypatch)
        open_own_set(recipe(), pictures, 0, self.listed(pictures, r3=0.8, f1=0.8))
        assert groups.total() == 20
        assert groups["r3"] == 1 + 8 and groups["f1"] == 1 + 2
        assert {count for group, count in groups.items() if group not in {"r3", "f1"}} == {1}

    def test_one_out_of_validation_leaves_it(self, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        put(pictures / "val" / "real" / "kept.png", 51)
        groups = self.pools(monkeypatch)
        own_set = open_own_set(recipe(), pictures, 0, self.listed(pictures, vr=0.9))
        assert groups["vr"] == 10 and groups["kept"] == groups["vf"] == 0
        assert len(own_set.validation) == 2  # type: ignore[arg-type]

    def test_validation_must_not_run_out(self, pictures: Path) -> None:
        with pytest.raises(DataSetError, match="the validation split needs both"):
            open_own_set(recipe(), pictures, 0, self.listed(pictures, vr=0.9))

    def test_nothing_of_a_test_split(self, pictures: Path) -> None:
        put(pictures / "test" / "real" / "tr.png", 70)
        put(pictures / "test" / "fake" / "tf.png", 170, True)
        with pytest.raises(DataSetError, match="reserved for measuring"):
            open_own_set(recipe(), pictures, 0, self.listed(pictures, tr=0.9))
