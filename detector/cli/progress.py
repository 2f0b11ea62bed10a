"""What a command prints for people: its findings, and its progress on standard error.

What standard output carries for programs is written where it is made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from detector.progress import Progress
from detector.schema.formatting import printable


@contextmanager
def progress_bar(*, stages: bool = False) -> Iterator[Progress]:
    """A bar from 0 to 1, drawn on a terminal only; call what is given with the stage and the share done.

    The bar never goes back, but with ``stages`` for each new stage. No thread is started, so that processes
    may be forked from this one.
    """
    from tqdm import tqdm

    tqdm.monitor_interval = 0
    last = ""
    with tqdm(total=1.0, bar_format="{desc:28}{percentage:3.0f} % |{bar}| {elapsed}", disable=None) as bar:

        def show(stage: str, share: float) -> None:
            nonlocal last
            if stages and stage != last:
                bar.reset()
            last = stage
            bar.set_description_str(stage, refresh=False)
            bar.update(max(0.0, share - bar.n))

        yield show


def print_line(text: str) -> None:
    """One line for people. Names of files in it may come from anybody and neither add lines nor hide them."""
    print(printable(text))


def progress_line(what: str) -> None:
    """One line for a step of a command that goes on for minutes or hours."""
    print(what, file=sys.stderr, flush=True)
