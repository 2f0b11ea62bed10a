"""Annotations of an analysis."""

from __future__ import annotations

from typing import Any

from pydantic import Field, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from detector.schema.analysis import Value
from reports.review.annotations import ANNOTATION, Annotation
from webapp.api.contract.schemas.base import Id, RequestModel


class AnnotationFile(RequestModel):
    """The form that imports annotations has no field but its file."""


class OneAnnotation(RootModel[Annotation]):
    """What somebody said (docs/bundle.md)."""


class Annotations(Value):
    """All annotations of an analysis, in order of time."""

    analysis: Id
    annotations: tuple[OneAnnotation, ...]


class Added(Annotations):
    """The annotation that was recorded, and all there are."""

    annotation: OneAnnotation


class Imported(Annotations):
    """How many annotations of a file were new and how many known, and all there are."""

    new: int
    known: int
    unverified: int = Field(description="of the new ones, those whose author is not you; 0 without login")


# Of an annotation: what Reelproof gives it.
_GIVEN = ("id", "made", "imported_by")


class NewAnnotation(RootModel[dict[str, Any]]):
    """What somebody says now (docs/bundle.md); without “id”, “made” and “imported_by”."""

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
