"""What a photo file declares of its making, where nothing else of it is examined."""

from __future__ import annotations

from typing import BinaryIO

from detector.media.exhibit.signatures import HEAD, container_of
from detector.metadata.declared.c2pa import read_store
from detector.metadata.declared.declarations import declarations_of
from detector.metadata.formats.photo import read_photo
from detector.schema.declarations import Declaration


def declarations_of_photo(file: BinaryIO) -> tuple[Declaration, ...]:
    """All declarations of an open photo file; none for a file that is no photo."""
    file.seek(0)
    container = container_of(file.read(HEAD))
    if container is None or not container.is_photo:
        return ()
    read = read_photo(file)
    credentials, claims = read_store(file, container.demuxers[0])
    return declarations_of(read.texts, read.photo, credentials, claims)
