"""Pictures of an analysis as reports embed them; what is no sound PNG is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from analyses import scene, write_png

from reports.errors import PictureError
from reports.inputs.pictures import PNG_SIGNATURE, embed, heat_scale, width_for


def test_pictures_become_jpeg_no_wider_than_their_number_allows(tmp_path: Path) -> None:
    write_png(tmp_path / "wide.png", scene(1, 1600, 400))
    write_png(tmp_path / "small.png", scene(2, 120, 80))
    pictures = embed(tmp_path, ["wide.png", "small.png", "wide.png"])
    shapes = {name: cv2.imdecode(np.frombuffer(data, np.uint8), 1).shape for name, data in pictures.items()}
    assert shapes == {"wide.png": (250, 1000, 3), "small.png": (80, 120, 3)}
    assert all(data.startswith(b"\xff\xd8") for data in pictures.values())
    assert width_for(60) == 1000 and width_for(61) == 720 and width_for(1200) == 480


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG"),
        (b"", "not a PNG"),
        (PNG_SIGNATURE + b"\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000) + b"\x08\x02\0\0\0", "claims"),
        (PNG_SIGNATURE + b"\0\0\0\rIHDR" + struct.pack(">II", 40, 40) + b"\x08\x02\0\0\0", "damaged"),
    ],
)
def test_only_valid_pngs_are_embedded(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "bad.png").write_bytes(data)
    with pytest.raises(PictureError, match=message):
        embed(tmp_path, ["bad.png"])


def test_heat_scale_is_the_colour_map_of_the_overlays() -> None:
    scale = heat_scale()
    ends = cv2.applyColorMap(np.array([[0, 255]], np.uint8), cv2.COLORMAP_INFERNO)[0][:, ::-1]
    assert [scale[0], scale[-1]] == ["#" + bytes(end).hex() for end in ends.tolist()]
