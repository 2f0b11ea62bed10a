"""What is written whole or not at all, and what becomes of links, pipes and open files at its place."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import av
import pytest
from waiting import PATIENCE

from cli.common import temporary_folder_beside
from detector.files import atomic_path, hash_file, open_atomically, temporary_folder, write_atomically


def test_link_target_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    there, link, chain = tmp_path / "elsewhere" / "there", tmp_path / "link", tmp_path / "chain"
    link.symlink_to("elsewhere/there")
    chain.symlink_to(link)
    for words in (b"made by a link that led nowhere", b"replaced"):
        write_atomically(chain, words)
        assert there.read_bytes() == words
    assert chain.is_symlink() and link.is_symlink() and not there.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["chain", "elsewhere", "link"]
    link.unlink()
    link.symlink_to(chain)
    with pytest.raises(OSError, match="symbolic links"):
        write_atomically(chain, b"a circle")


def test_a_pipe_is_written_into(tmp_path):
    pipe, came = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with open_atomically(pipe) as out:
        out.write(b"one")
        out.seek(0)  # formats such as zip go back
        out.write(b"ONE")
    reader.join(PATIENCE)
    assert came == [b"ONE"] and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_content_of_an_open_file_is_kept(tmp_path):
    """As ``--out /dev/stdout`` where standard output is a file."""
    with Path(tmp_path, "open").open("wb", buffering=0) as file:
        file.write(b"before ")
        write_atomically(Path(f"/proc/self/fd/{file.fileno()}"), b"written")
    assert Path(tmp_path, "open").read_bytes() == b"before written"


def test_failure_writes_nothing(tmp_path):
    place = tmp_path / "place"
    place.write_bytes(b"as it was")
    with pytest.raises(ZeroDivisionError), open_atomically(place) as out:
        out.write(b"half")
        raise ZeroDivisionError
    assert place.read_bytes() == b"as it was" and os.listdir(tmp_path) == ["place"]


def test_concurrent_writers_use_separate_temporary_files(tmp_path):
    """Containers that share the folder may each have a process of the same number, as these two have."""
    place = tmp_path / "file"
    with open_atomically(place) as first:
        first.write(b"the first")
        with open_atomically(place) as second:
            second.write(b"two")
        assert place.read_bytes() == b"two"
    assert place.read_bytes() == b"the first" and list(tmp_path.iterdir()) == [place]


def test_error_names_the_target(tmp_path):
    place = tmp_path / "away" / "place"
    with pytest.raises(FileNotFoundError) as failed:
        write_atomically(place, b"whole")
    assert failed.value.filename == str(place)


def test_original_error_is_raised_if_cleanup_fails(tmp_path, monkeypatch):
    def refused(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(ZeroDivisionError), open_atomically(tmp_path / "place"):
        raise ZeroDivisionError


LONGEST = ["o" * 251 + ".csv", "ü" * 127, os.fsdecode(b"\xff" * 255)]  # as many bytes as a name may have


@pytest.mark.parametrize("name", LONGEST)
def test_longest_name_is_written(tmp_path, name):
    write_atomically(tmp_path / name, b"whole")
    assert (tmp_path / name).read_bytes() == b"whole" and os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", LONGEST)
def test_folder_with_the_longest_name_has_a_temporary_sibling(tmp_path, name):
    with temporary_folder_beside(tmp_path / name) as beside:
        assert Path(beside).parent == tmp_path and Path(beside).is_dir()


def test_endless_files_are_not_hashed(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(OSError, match="a device or a pipe, not a file"):
            hash_file(path)
    with pytest.raises(IsADirectoryError):
        hash_file(tmp_path)


def test_decoder_error_names_the_target(tmp_path):
    """Its name cannot be changed."""
    place = tmp_path / "place"
    for name in (True, False):
        with pytest.raises(OSError, match="full") as failed, atomic_path(place) as unfinished:
            raise av.error.OSError(errno.ENOSPC, "full", str(unfinished) if name else None)
        assert failed.value.filename == str(place)


def test_full_disk_error_names_the_target():
    with pytest.raises(OSError, match="No space left") as failed:
        write_atomically(Path("/dev/full"), b"more than there is room for")
    assert failed.value.filename == "/dev/full"


def test_missing_parent_is_named(tmp_path):
    asked = tmp_path / "away" / "result"
    with pytest.raises(FileNotFoundError) as failed, temporary_folder(".result-", asked.parent, asked):
        pass
    assert failed.value.filename == str(asked)
    for problem in (OSError(errno.ENOSPC, "full"), None, OSError(errno.ENOSPC, "full", "elsewhere")):
        with pytest.raises(OSError) as failed, temporary_folder(".result-", tmp_path, asked) as made:
            if problem:
                raise problem
            Path(made, "away", "part").write_bytes(b"")
        assert failed.value.filename == ("elsewhere" if problem and problem.filename else str(asked))
