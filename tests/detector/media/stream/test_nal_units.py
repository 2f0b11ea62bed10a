"""Headers of NAL units, read from bytes."""

from __future__ import annotations

import struct

import pytest

from detector.media.stream.nal_units import length_size_of, sequence_headers, unreferenced_kind


def make_packet(*units: bytes) -> memoryview:
    return memoryview(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units))


# first_mb_in_slice 0 is the bit 1, slice_type 1 (B) is 010 and 6 (B) is 00111, 0 (P) is 1, 7 (I) 0001000
@pytest.mark.parametrize(
    ("bits", "kind"), [("1010", 3), ("100111", 3), ("11", 2), ("10001000", 1), ("1" + "0" * 200, None)]
)
def test_the_kind_of_an_unreferenced_slice(bits: str, kind: int | None) -> None:
    whole = bits.ljust(-(-len(bits) // 8) * 8, "0")
    header = int(whole, 2).to_bytes(len(whole) // 8, "big")
    assert unreferenced_kind(make_packet(b"\x01" + header), 4) == kind


def test_a_reference_or_anything_else_is_needed() -> None:
    unreferenced, reference, partition = b"\x01\xa0", b"\x21\xa0", b"\x02\xa0"
    assert unreferenced_kind(make_packet(b"\x06\x00", unreferenced, unreferenced), 4) == 3
    assert unreferenced_kind(make_packet(unreferenced, reference), 4) is None
    assert unreferenced_kind(make_packet(partition), 4) is None
    assert unreferenced_kind(make_packet(b"\x06\x00"), 4) is None
    assert unreferenced_kind(make_packet(unreferenced)[:-1], 4) is None
    assert unreferenced_kind(memoryview(b""), 4) is None


def test_the_size_of_lengths() -> None:
    assert length_size_of(bytes([1, 100, 0, 31, 0xFF, 0xE1])) == 4
    assert length_size_of(b"\0\0\0\1\x67\x64") is None
    assert length_size_of(None) is None


def test_sequence_headers_in_both_forms() -> None:
    header, other = b"\x67\x64\x00\x1f", b"\x68\xee"
    lengths = b"".join(struct.pack(">I", len(u)) + u for u in (header, other))
    codes = b"\0\0\0\1" + header + b"\0\0\1" + other + b"\0\0\1\x65rest"
    assert sequence_headers(lengths, "h264") == sequence_headers(codes, "h264") == [header]
    assert sequence_headers(b"\xff" * 100, "h264") == sequence_headers(b"", "h264") == []
