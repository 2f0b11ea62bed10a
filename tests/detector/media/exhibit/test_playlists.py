"""Files that refer to other files open none of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from clips import cornered
from PIL import Image as Pillow
from reading import read, refusal


class TestPlaylists:
    """A file that names other files opens none of them."""

    @staticmethod
    def playlist(target: str) -> str:
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXT-X-MEDIA-SEQUENCE:0\n"
        return f"{head}#EXTINF:5.0,\n{target}\n#EXT-X-ENDLIST\n"

    @pytest.fixture
    def bait(self, tmp_path: Path) -> Iterator[tuple[str, int]]:
        """A pipe with a letter in it, which nobody can read unseen: its path and our end of it."""
        path = tmp_path / "bait.ts"
        os.mkfifo(path)
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        os.write(end, b"G" * 4096)
        yield str(path), end
        os.close(end)

    @pytest.fixture
    def server(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            yield listening

    def test_the_bait_works(self, tmp_path: Path, server: socket.socket) -> None:
        """FFmpeg left to itself does follow a playlist; otherwise the next tests would prove nothing."""
        path = tmp_path / "list.m3u8"
        path.write_text(self.playlist(f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"))
        with pytest.raises((av.FFmpegError, ValueError)):
            av.open(
                str(path),
                options={"protocol_whitelist": "file,http,tcp", "rw_timeout": "200000"},
                timeout=1.0,
            ).close()
        connection, _ = server.accept()
        connection.close()

    @pytest.mark.parametrize("name", ["clip.mp4", "list.m3u8", "photo.jpg"])
    def test_nothing_else_is_opened(
        self, tmp_path: Path, name: str, bait: tuple[str, int], server: socket.socket
    ) -> None:
        local, end = bait
        remote = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        for target in (local, f"file:{local}", "bait.ts", remote):
            (tmp_path / name).write_text(self.playlist(target))
            refusal(tmp_path / name)
        assert os.read(end, 8192) == b"G" * 4096, "the pipe was read"
        with pytest.raises(BlockingIOError):
            server.accept()

    def test_a_concat_script_opens_nothing(self, tmp_path: Path, bait: tuple[str, int]) -> None:
        local, end = bait
        (tmp_path / "clip.mp4").write_text(f"ffconcat version 1.0\nfile '{local}'\n")
        refusal(tmp_path / "clip.mp4")
        assert os.read(end, 8192) == b"G" * 4096

    def test_file_name_is_ignored(self, tmp_path: Path) -> None:
        """A pattern in a file's name would make FFmpeg's image reader open its neighbours."""
        picture = Pillow.fromarray(cornered())
        for name in ("a%d.jpg", "a0.jpg", "a1.jpg", "http:x.jpg"):
            picture.save(tmp_path / name, format="jpeg")
        for name in ("a%d.jpg", "http:x.jpg"):
            frames, tally = read(tmp_path / name)
            assert (len(frames), tally.decoded) == (1, 1)
