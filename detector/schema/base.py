"""Base class and field types of everything published as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from detector.schema.formatting import escape_directions
from detector.schema.tolerance import PROBABILITY

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Probability = Annotated[float, Field(ge=0.0, le=1.0), PROBABILITY]
Seconds = Annotated[float, Field(ge=0.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Value(BaseModel):
    """Base of all published values: immutable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def optional(description: str, default: Any = None, *, since: str = "", **constraints: Any) -> Any:
    """Return a field with a default, null if not given, and its description in the JSON schema.

    ``since`` is the first release that has it, also in the JSON schema (key ``since``).
    """
    if since:
        description = f"{description}; since {since}"
        constraints["json_schema_extra"] = {"since": since}
    return Field(default=default, description=description, **constraints)


class Document(Value):
    """Base of values that are published as a file of their own."""

    def to_json(self) -> str:
        """Return the text of the file: two-space indent, keys in schema order."""
        text = escape_directions(self.model_dump_json(indent=2))
        text += "\n"  # appended in place, because an analysis of hours of video takes some 50 MB
        return text

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse what :meth:`to_json` wrote; raise ``pydantic.ValidationError`` for anything else."""
        return cls.model_validate_json(text)

    @classmethod
    def schema_text(cls) -> str:
        """Return the JSON schema (draft 2020-12), as published in ``docs/``."""
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}
        return json.dumps(schema, indent=2) + "\n"
