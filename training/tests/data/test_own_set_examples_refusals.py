"""A data set of one's own that cannot be trained on, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_set import clip, recipe

from training.data.labelled_sets import DataSetError
from training.data.own_sets import open_own_set


@pytest.mark.usefixtures("every_frame_a_face")
class TestRefusals:
    def test_no_validation(self, pictures: Path) -> None:
        for path in (pictures / "val").rglob("*.png"):
            path.unlink()
        with pytest.raises(DataSetError, match="the validation split needs both"):
            open_own_set(recipe(), pictures, 0, None)

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_a_split_of_one_class(self, pictures: Path, split: str) -> None:
        """By the time the table is read, or here."""
        for path in (pictures / split / "fake").glob("*.png"):
            path.unlink()
        with pytest.raises(DataSetError, match=f"{split}.*(fake|both)|validation"):
            open_own_set(recipe(), pictures, 0, None)

    @pytest.mark.parametrize(
        ("split", "name"), [("train", "the training split"), ("val", "the validation split")]
    )
    @pytest.mark.parametrize("architecture", ["efficientnet_lite0", "efficientnet_lstm"])
    def test_a_class_of_which_no_video_shows_a_face(
        self, tmp_path: Path, split: str, name: str, architecture: str
    ) -> None:
        """Known once they have been looked through, and said before training starts."""
        for number, subset in enumerate(("train", "val")):
            for label, shade in (("real", 60), ("fake", 120)):
                dark = subset == split and label == "fake"
                clip(tmp_path / subset / label / f"{subset}-{label}.mp4", 0 if dark else shade + number, 3)
        with pytest.raises(DataSetError, match=f"{name} needs both"):
            open_own_set(recipe(frames=2, architecture=architecture), tmp_path, 0, None)

    def test_the_same_picture_in_two_splits(self, pictures: Path) -> None:
        copied = (pictures / "train" / "real" / "r0.png").read_bytes()
        (pictures / "val" / "real" / "copy.png").write_bytes(copied)
        with pytest.raises(DataSetError, match="same bytes"):
            open_own_set(recipe(), pictures, 0, None)
