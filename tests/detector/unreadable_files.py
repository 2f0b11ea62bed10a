"""Files that cannot be examined, one of each kind."""

from __future__ import annotations

from pathlib import Path

from clips import numbered, write_clip

BAD = ("truncated.mp4", "empty.mp4", "text.mp4", "list.m3u8", "folder.mp4", "gone.mp4")


def bad_files(folder: Path) -> dict[str, Path]:
    """One of each kind of file that cannot be examined."""
    whole = write_clip(folder / "whole.mp4", (numbered(i) for i in range(20)))
    (folder / "truncated.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("Dear Sir or Madam,\n" * 100)
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:5,\nwhole.mp4\n#EXT-X-ENDLIST\n")
    (folder / "folder.mp4").mkdir()
    names = ("truncated.mp4", "empty.mp4", "text.mp4", "list.m3u8", "folder.mp4", "gone.mp4")
    return {name: folder / name for name in names}
