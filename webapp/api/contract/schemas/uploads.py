"""Files that come in parts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from detector.schema.analysis import Value
from webapp.api.contract.schemas.analyses import Again
from webapp.api.contract.schemas.base import Id, Moment

# What headers of uploads look like, for their check and their description.
_PAIR = r"[A-Za-z0-9_.-]{1,60}( [A-Za-z0-9+/]{0,4000}={0,2})?"
METADATA = f"^{_PAIR}(,{_PAIR}){{0,9}}$"
LONGEST_METADATA = 8000


class UploadShape(Value):
    """A file that comes in parts."""

    id: Id
    file: str
    size: int
    offset: int = Field(description="bytes received; the next part starts here")
    created: Moment
    expires: Moment = Field(description="what came is removed then, unless it was analysed")
    analysis: Id | None = Field(description="the analysis that became of it")


class OfUpload(Again):
    """With what a file that came in parts is to be analysed, and the case it belongs to."""

    case: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
