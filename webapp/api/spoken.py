"""An annotation as it is sent: without ``id`` and ``made``, which Reelproof gives."""

from __future__ import annotations

from typing import Any

from pydantic import GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from reports.review.annotations import ANNOTATION

_GIVEN = ("id", "made")


class NewAnnotation(RootModel[dict[str, Any]]):
    """What somebody says now (docs/bundle.md); without “id” and “made”."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of annotations, less what is given to them."""
        schema = ANNOTATION.json_schema(ref_template="#/{model}")
        kinds = []
        for kind in schema["$defs"].values():
            properties = {name: of for name, of in kind["properties"].items() if name not in _GIVEN}
            required = [name for name in kind["required"] if name not in _GIVEN]
            kinds.append(kind | {"properties": properties, "required": required})
        return {"title": "NewAnnotation", "description": cls.__doc__, "oneOf": kinds}
