"""Where the data folder keeps what: one place that knows the layout."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """Paths under the data folder. Nothing here is ever built from a name a user chose, but for names of
    models, which are checked to be letters, digits and hyphens."""

    data: Path

    @property
    def incoming(self) -> Path:
        """Uploads on their way in; anything here at start is left over and removed."""
        return self.data / "incoming"

    @property
    def exhibits(self) -> Path:
        """Exhibits, read-only, by SHA-256."""
        return self.data / "exhibits"

    @property
    def analyses(self) -> Path:
        """Finished results, one folder each; names starting with a dot are unfinished."""
        return self.data / "analyses"

    @property
    def thumbnails(self) -> Path:
        """Small pictures for the list, derived from results and not part of them."""
        return self.data / "thumbnails"

    @property
    def broker(self) -> Path:
        """Messages of the embedded broker; they carry ids only and may be lost."""
        return self.data / "broker"

    @property
    def models(self) -> Path:
        """Added models, one folder each by name; folders starting with a dot are on their way in or out."""
        return self.data / "models"

    def result(self, analysis_id: str) -> Path:
        """The finished result of one analysis."""
        return self.analyses / analysis_id

    def unfinished(self, analysis_id: str, attempt: int) -> Path:
        """Where one attempt writes its result until it is whole."""
        return self.analyses / f".{analysis_id}.{attempt}"

    def thumbnail(self, analysis_id: str) -> Path:
        """The small picture of one analysis."""
        return self.thumbnails / f"{analysis_id}.jpg"

    def create(self) -> None:
        """Make the folders, for this user alone."""
        inner = (self.incoming, self.exhibits, self.analyses, self.thumbnails, self.broker, self.models)
        for folder in (self.data, *inner):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what an app that was killed left half-written. Only while no other app uses the folder."""
        for path in self.incoming.iterdir():
            path.unlink(missing_ok=True)
        for path in (*self.analyses.glob(".*"), *self.models.glob(".*")):
            shutil.rmtree(path, ignore_errors=True)
