"""What can go wrong while a report is made, all under the one root of Reelproof."""

from detector.errors import ReelproofError


class ReportError(ReelproofError):
    """A report cannot be made from this analysis and this folder."""


class PictureError(ReportError):
    """A picture named by the analysis lies outside its folder or cannot be read."""


class ExportError(ReportError):
    """An analysis cannot be put into the form asked for."""
