"""Progress of a command, on standard error: what standard output carries stays readable by programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from detector.progress import Progress


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


def progress_line(what: str) -> None:
    """One line for a step of a command that goes on for minutes or hours."""
    print(what, file=sys.stderr, flush=True)
