"""Reports, bundles and exports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detector.schema.analysis import Value
from webapp.api.contract.schemas.base import RequestModel


class ReportSearch(RequestModel):
    """Which language the report is to speak."""

    language: Literal["en", "de", "es"] = Field(
        default="en", description="of the report, and of a bundle's pages and README.txt; data stay English"
    )


class BundleSearch(ReportSearch):
    """What the bundle is to hold, and which language it is to speak."""

    video: Literal["yes", "no"] = Field(default="yes", description="no: without what plays of the exhibit")


class Export(Value):
    """A format that analyses can be exported in."""

    name: str
    what: str
    media_type: str
    href: str


class Exports(Value):
    """The formats."""

    exports: tuple[Export, ...]
