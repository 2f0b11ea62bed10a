"""What the network of the second look reads of a crop, without torch: which of its logits are which.

Each reading has two outputs of linear heads, *altered* and *synthesised*. The first two readings are the
framings of footage, inner face and whole head; the third is the whole head of a photograph, which has outputs
of its own because no video codec has passed over it: what tells a generated picture there is gone from most
footage.
"""

from __future__ import annotations

INNER, HEAD, PHOTOGRAPH = range(3)
READINGS, QUESTIONS = 3, 2
ALTERED, SYNTHESISED = range(QUESTIONS)


def outputs_of(reading: int) -> tuple[int, ...]:
    """Which of the network's logits (n, readings · questions) are the outputs of ``reading``."""
    return tuple(range(QUESTIONS * reading, QUESTIONS * (reading + 1)))
