"""Square pixels, one frame size, and colours of every range."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from analyses import media as facts
from clips import HEIGHT, UPRIGHT, WIDTH, cornered, corners, number_of, numbered, write_resized

from detector.faces.scene_changes import CutDetector
from detector.media import colour
from detector.media.open import open_media
from detector.media.reader import PictureGrowsError
from detector.metadata.anomalies import find_anomalies
from detector.metadata.exhibit import collect_facts
from detector.schema.analysis import MediaKind

EVERY_FRAME = 1000.0
NOW = datetime(2026, 11, 20, tzinfo=UTC)


class TestShapes:
    @pytest.mark.parametrize(("aspect", "size"), [(Fraction(2), (256, 96)), (Fraction(3, 4), (128, 128))])
    def test_non_square_pixels_are_corrected(
        self, tmp_path: Path, aspect: Fraction, size: tuple[int, int]
    ) -> None:
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            stream.codec_context.sample_aspect_ratio = aspect
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cornered(), format="rgb24")))
            container.mux(stream.encode())
        with open_media(path) as reader:
            (frame,) = reader.frames(EVERY_FRAME)
            assert (reader.width, reader.height) == size == frame.image.shape[1::-1]
            assert corners(frame.image) == UPRIGHT

    @pytest.mark.parametrize(("limits", "name"), [((16, 235), "limited"), ((0, 255), "full")])
    def test_grey_pictures_use_either_range(self, tmp_path: Path, limits: tuple[int, int], name: str) -> None:
        grey = np.repeat(np.array([limits], np.uint8), 48, axis=1).repeat(96, axis=0)
        path = tmp_path / "a.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx265", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 96, "gray"
            stream.options = {"x265-params": f"log-level=none:crf=5:range={name}"}
            stream.codec_context.color_range = 1 if name == "limited" else 2
            frame = av.VideoFrame.from_ndarray(grey, format="gray")
            frame.color_range = stream.codec_context.color_range
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with open_media(path) as reader:
            (shown,) = reader.frames(EVERY_FRAME)
        assert (shown.image[:, :40] < 4).all() and (shown.image[:, 56:] > 251).all()

    @pytest.mark.parametrize(
        ("codec", "options"),
        [("mpeg2video", {"g": "20", "bf": "2", "b": "2M"}), ("libx264", {"g": "20", "bf": "2", "crf": "12"})],
    )
    def test_changing_pixel_aspect_is_corrected(
        self, tmp_path: Path, codec: str, options: dict[str, str]
    ) -> None:
        path, whole = tmp_path / "a.ts", b""
        for first, aspect in ((0, Fraction(1)), (25, Fraction(4, 3)), (50, Fraction(1))):
            with av.open(str(path), "w") as container:
                stream = container.add_stream(codec, rate=25)
                stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
                stream.codec_context.sample_aspect_ratio, stream.options = aspect, options
                for number in range(first, first + 25):
                    frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
                    frame.pts = number - first
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            whole += path.read_bytes()
        path.write_bytes(whole)
        with open_media(path) as reader:
            reader.canvas = 213, HEIGHT

            def barred() -> dict[int, bool]:
                """By number of a frame, whether bars stand beside it."""
                images = {frame.pts: frame.image for frame in reader.frames(EVERY_FRAME)}
                narrow = {pts: bool(image[:, :16].max() < 8) for pts, image in images.items()}
                for pts in (min(images), max(pts for pts, bars in narrow.items() if not bars)):
                    assert [np.array_equal(picture.image, images[pts]) for picture in reader.at({pts})] == [
                        True
                    ]
                return {
                    number_of(
                        image[:, 26:186] if narrow[pts] else cv2.resize(image, (WIDTH, HEIGHT))
                    ): narrow[pts]
                    for pts, image in images.items()
                }

            bar_flags = barred()
            assert bar_flags.items() <= {number: not 25 <= number < 50 for number in range(75)}.items()
            assert len(bar_flags) >= 73  # where streams are joined a picture of MPEG-2 may rest on damage
            assert [size[1] for size in reader.sizes] == [HEIGHT] * 2
            assert [size[0] for size in reader.sizes] == pytest.approx([WIDTH, 213], abs=1)
            reader.rewind()
            assert barred() == bar_flags

    def test_changing_size_is_fitted_to_the_first_frame(self, tmp_path: Path) -> None:
        """Boxes are told in its pixels. Another shape begins another scene, shown between bars."""
        path = write_resized(tmp_path / "a.webm", [(WIDTH, HEIGHT), (320, 192), (96, 96)])
        with open_media(path) as reader:
            frames = list(reader.frames(EVERY_FRAME))
            again = list(reader.at({frame.pts for frame in frames}))
            assert (reader.width, reader.height) == (WIDTH, HEIGHT)
            assert reader.sizes == [(WIDTH, HEIGHT), (320, 192), (96, 96)]
        square = [frame.image[:, 32:128] for frame in frames[10:]]
        whole = [cv2.resize(image, (WIDTH, HEIGHT)) for image in square]
        assert [number_of(image) for image in [*(f.image for f in frames[:10]), *whole]] == list(range(15))
        assert {frame.image.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
        assert all(not frame.image[:, [*range(32), *range(128, WIDTH)]].any() for frame in frames[10:])
        assert [frame.shape for frame in frames] == [None] * 5 + [(192, 320)] * 5 + [(96, 96)] * 5
        assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, again, strict=True))
        cuts, still = CutDetector(25), cornered()
        shapes = [None, (96, 128), (192, 256), (96, 96), (96, 96)]
        assert [cuts.process_frame(still, shape) for shape in shapes] == [False, False, False, True, False]

    def test_a_canvas_may_be_larger_than_the_first_frame(self, tmp_path: Path) -> None:
        path = write_resized(tmp_path / "a.webm", [(96, 96), (WIDTH, HEIGHT), (320, 192)])
        with open_media(path) as reader:
            reader.refuses_growth = True
            with pytest.raises(PictureGrowsError) as grown:
                list(reader.frames(EVERY_FRAME))
        assert grown.value.size == (WIDTH, HEIGHT)
        with open_media(path) as reader:
            size = reader.largest(grown.value.size)
        with open_media(path) as reader:
            reader.canvas = size
            frames = list(reader.frames(EVERY_FRAME))
        assert size == (320, 192)
        assert {frame.image.shape for frame in frames} == {(192, 320, 3)}
        assert [frame.shape for frame in frames] == [(96, 96)] * 5 + [(HEIGHT, WIDTH)] * 5 + [None] * 5

    def test_changing_size_is_reported(self, tmp_path: Path) -> None:
        for sizes, phrases in ([(WIDTH, HEIGHT)], ()), ([(WIDTH, HEIGHT), (96, 96)], ("160×96, 96×96 px",)):
            path = write_resized(tmp_path / "a.webm", sizes)
            with open_media(path) as reader:
                list(reader.frames(8))
                details = collect_facts(reader, path).details
            anomalies = find_anomalies(facts(MediaKind.VIDEO, 0.4), details, NOW)
            observations = [
                anomaly.observation for anomaly in anomalies if anomaly.kind == "the picture size changes"
            ]
            assert len(observations) == len(phrases) and all(words in observations[0] for words in phrases)


class TestHighDynamicRange:
    def test_reference_white_and_highlights(self) -> None:
        """203 cd/m² is 0.58 in PQ and 0.75 in HLG (ITU-R BT.2408); what is brighter stays below white."""
        for transfer, white in ((colour.PQ, 0.58), (colour.HLG, 0.75)):
            coded = np.array([0.0, 0.5 * white, white, 1.0])
            picture = np.repeat(np.round(coded * 65535).astype(np.uint16)[None, :, None], 3, axis=2)
            shown = colour.to_standard_range(picture, transfer)[0]
            assert np.ptp(shown.astype(int), axis=1).max() <= 1, "grey stays grey"
            black, grey, bright, beyond = shown[:, 0].tolist()
            assert black == 0 and 20 < grey < 150 and 215 < bright < 250 < beyond

    @staticmethod
    def film(path: Path) -> None:
        """One white frame in PQ, of 10 bits."""
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx265", rate=25)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p10le"
            context = stream.codec_context
            context.color_trc, context.color_primaries, context.colorspace = colour.PQ, 9, 9
            stream.options = {
                "x265-params": "log-level=none:pools=none:frame-threads=1:colorprim=bt2020:"
                "transfer=smpte2084:colormatrix=bt2020nc"
            }
            white = np.full((96, 128, 3), round(0.58 * 65535), np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(white, format="rgb48le")))
            container.mux(stream.encode())

    def test_hdr_video_is_converted(self, tmp_path: Path) -> None:
        path = tmp_path / "a.mp4"
        try:
            self.film(path)
        except av.FFmpegError:  # met twice: FFmpeg's muxer did not read libx265's parameter sets
            self.film(path)
        with open_media(path) as reader:
            (frame,) = reader.frames(EVERY_FRAME)
            assert 215 < frame.image.mean() < 250
