from __future__ import annotations

import subprocess
import sys

MEGABYTE = 1 << 20
HELD = 300 * MEGABYTE
PROGRAM = f"""
from detector.memory import peak_memory
print(peak_memory())
held = b"x" * {HELD}
print(peak_memory())
del held
print(peak_memory())
"""


def test_what_is_held_counts_even_when_given_back_and_what_the_starting_process_held_does_not():
    held = b"x" * HELD
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, most, after = map(int, done.stdout.split())
    assert before < len(held)
    # The system counts in steps, which differ a little from one question to the next.
    assert most - before > HELD - 10 * MEGABYTE
    assert after > most - 10 * MEGABYTE
