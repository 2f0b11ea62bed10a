"""Which clips are of the same people: by the table where it says so, else by names of FaceForensics++."""

from __future__ import annotations

from pathlib import Path

from training.data.research_faces import clip_rows, identity_pairs
from training.second_look.fitting.exhibits import develop_clips

HEADER = "file,label,generator,role,group\n"


def test_a_pair_is_one_group_in_either_direction_originals_and_controls_included() -> None:
    files = ["ffpp-c40-deepfakes-183_253.mp4", "splice-deepfakes-253_183.mp4", "ffpp-c40-original-253.mp4"]
    assert set(identity_pairs([*files, "control-183.mp4"]).values()) == {"ffpp-183-253"}


def test_other_names_are_groups_of_their_own() -> None:
    files = ["dfdc-a.mp4", "ffpp-c40-original-007.mp4", "voxceleb2-audio_source-00086.mp4"]
    assert identity_pairs([*files, "x-183_253.mp4"]) == {
        **{file: file for file in files},
        "x-183_253.mp4": "ffpp-183-253",
    }


def test_a_group_of_the_table_is_kept(tmp_path: Path) -> None:
    rows = "a-183_253.mp4,fake,x,develop,two friends\nb-183_253.mp4,fake,x,develop,\n"
    (tmp_path / "labels.csv").write_text(HEADER + rows)
    assert [row["group"] for row in clip_rows(tmp_path)] == ["two friends", "ffpp-183-253"]


def test_pairs_of_both_folders_are_the_same_groups(tmp_path: Path) -> None:
    """A fusion that leaves a pair's clips at c23 out must not have seen its clips at c40."""
    files = {"clips": "ffpp-c40-deepfakes-183_253.mp4", "videos": "ffpp-c23-faceswap-253_183.mp4"}
    for folder, file in files.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.csv").write_text(HEADER + f"{file},fake,x,develop,\n")
    assert [row["group"] for _, row in develop_clips(tmp_path)] == ["ffpp-183-253"] * 2
