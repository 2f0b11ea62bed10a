"""Case details as the examiner states them (numbers, names, paper, time zone), kept in ``case.json``."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import tzlocal
from pydantic import AfterValidator, StringConstraints, ValidationError

from detector.schema.analysis import Value
from detector.schema.formatting import N_, escape_directions
from reports.errors import ReportError
from reports.file_names import CASE
from reports.inputs.case_fields import FIELDS, Paper

LONGEST = 200
NOT_STATED = "not stated"
MOST_BYTES = 100_000


class CaseError(ReportError):
    """Case details, or the file that holds them, cannot be used; ``field`` names the wrong field."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def _one_line(text: str) -> str:
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
        raise ValueError("must be one line without control characters")
    return text


def _known_zone(name: str) -> str:
    if name:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise ValueError("must be a name such as Europe/Berlin, or blank") from None
    return name


OneLine = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=LONGEST), AfterValidator(_one_line)
]


class CaseDetails(Value):
    """Case details as the examiner states them; blank ones are printed as "not stated".

    ``time_zone`` is the IANA name of the zone for local times, blank until a report is first written
    (:meth:`with_time_zone`).
    """

    case_number: OneLine = ""
    exhibit_number: OneLine = ""
    examiner: OneLine = ""
    organisation: OneLine = ""
    paper: Paper = "A4"
    time_zone: Annotated[str, AfterValidator(_known_zone)] = ""

    def with_time_zone(self) -> CaseDetails:
        """Return the details with a time zone, by default that of this machine.

        It is UTC if ``SOURCE_DATE_EPOCH`` demands output that does not depend on the machine.
        """
        return self if self.time_zone else self.model_copy(update={"time_zone": _zone_here()})

    def to_json(self) -> str:
        """Return the text of ``case.json`` (UTF-8, two-space indent)."""
        return escape_directions(json.dumps(self.model_dump(), indent=2, ensure_ascii=False)) + "\n"


def case_details(values: dict[str, Any]) -> CaseDetails:
    """Build case details from a form or a command line; None means not given.

    Raise :class:`CaseError` that names the field and its allowed values.
    """
    try:
        return CaseDetails.model_validate({name: v for name, v in values.items() if v is not None})
    except ValidationError as error:
        raise CaseError(_in_words(error), "".join(map(str, error.errors()[0]["loc"][:1]))) from None


def read_case(folder: Path) -> CaseDetails:
    """Read ``case.json`` in ``folder``, all blank without it; raise :class:`CaseError` if it is invalid."""
    path = folder / CASE
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return CaseDetails()
    try:
        if len(data) > MOST_BYTES:
            raise CaseError(N_("it is much too large."))
        values = json.loads(data)
        if not isinstance(values, dict):
            raise CaseError(N_("it does not contain an object."))
        return case_details(values)
    except (ValueError, RecursionError):
        raise CaseError(
            N_("%(path)s is not the case.json of a report: it is not JSON. Remove it.") % {"path": path}
        ) from None
    except CaseError as error:
        raise CaseError(
            N_("%(path)s is not the case.json of a report: %(error)s Remove it.")
            % {"path": path, "error": error}
        ) from None


def _zone_here() -> str:
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return "UTC"
    try:
        name = str(tzlocal.get_localzone_name() or "UTC")
        return _known_zone(name)
    except (ValueError, LookupError, OSError):  # a machine with no zone, or one of its own making
        return "UTC"


def _in_words(error: ValidationError) -> str:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    name = FIELDS[field].in_sentence if field in FIELDS else field or "the details"
    match first["type"]:
        case "string_too_long":
            return N_("The %(name)s is longer than %(most)s characters.") % {"name": name, "most": LONGEST}
        case "string_type":
            return N_("The %(name)s must be text.") % {"name": name}
        case "literal_error":
            return N_("The %(name)s must be A4 or Letter.") % {"name": name}
        case "value_error":
            return N_("The %(name)s %(problem)s.") % {"name": name, "problem": first["ctx"]["error"]}
        case "extra_forbidden":
            return N_("There is no case detail called %(name)s.") % {"name": repr(name)}
    return f"The {name}: {first['msg']}."
