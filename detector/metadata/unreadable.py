"""Run the readers of metadata: what one of them cannot read costs nothing else, and is stated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from detector.schema.causes.anomalies import AnomalyCode
from detector.schema.metadata import Anomaly, clean_text

_Read = TypeVar("_Read")
_Instead = TypeVar("_Instead")
_MOST = 16
_LONGEST_REASON = 160
# Addresses of objects differ from run to run, and paths are those of this machine.
_NOT_FOR_RESULTS = re.compile(r"0x[0-9a-f]|[/\\<]")


class MetadataReaders:
    """Runs readers, and keeps why one of them failed.

    Anybody may have written the metadata of a file, and many libraries read it, so any exception is possible.
    None of them may end an analysis.
    """

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str], None] = {}

    def read(self, what: str, reader: Callable[[], _Read], otherwise: _Instead) -> _Read | _Instead:
        """Return what ``reader`` returns, or ``otherwise`` if it raises; ``what`` names what it reads."""
        try:
            return reader()
        except Exception as error:
            self.add(what, error)
            return otherwise

    def add(self, what: str, error: Exception) -> None:
        """Keep that ``what`` cannot be read."""
        kind, message = type(error).__name__, clean_text(error, _LONGEST_REASON)
        reason = kind if not message or _NOT_FOR_RESULTS.search(message) else f"{kind}: {message}"
        if len(self._reasons) < _MOST:
            self._reasons[what, reason] = None

    def anomalies(self) -> Iterator[Anomaly]:
        """Yield the anomaly of what could not be read, if there is any."""
        if self._reasons:
            unreadable = tuple(f"{what} ({reason})" for what, reason in self._reasons)
            yield Anomaly.of(AnomalyCode.UNREADABLE_METADATA, unreadable=unreadable)
