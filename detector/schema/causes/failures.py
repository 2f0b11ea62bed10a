"""Why a job failed: the error, and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import member

from detector.schema.causes.anomalies import decimals, one
from detector.schema.causes.cause import (
    CODES,
    ENGLISH,
    PARAMETERS,
    Cause,
    CauseCode,
    Message,
    Parameter,
    Words,
    render,
)
from detector.schema.formatting import N_
from detector.schema.formatting import Message as FilledMessage

PARAMETERS |= {
    "megabytes": Parameter(int, "MB that are allowed", form=decimals(",")),
    "fields": Parameter(tuple, "names of the placeholders of `template`"),
    "message": Parameter(tuple, "message of an error", form=one),
    "processor_seconds": Parameter(int, "seconds of processor time that are allowed", form=decimals(",")),
    "remedy": Parameter(tuple, "what to do", form=one),
    "template": Parameter(str, "message of the catalogues, with its placeholders"),
    "text": Parameter(str, "a name, a number or what a program says"),
    "values": Parameter(tuple, "what stands in the placeholders of `template`"),
    "wall_seconds": Parameter(float, "seconds that are allowed", form=decimals(",g")),
}


_NAMED_PLACEHOLDERS = re.compile(r"(?:[^%]|%%|%\(\w+\)s)*")
_FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+")


def _filled(words: Words, template: str, fields: Sequence[str] = (), values: Sequence[Cause] = ()) -> str:
    """[template with its values]"""
    if not _NAMED_PLACEHOLDERS.fullmatch(template):  # others could ask for a text that fills the memory
        raise ValueError(template)
    texts = (render(value, words) for value in values)
    return words.fill(FilledMessage(template), **dict(zip(fields, texts, strict=True)))


def _text(words: Words, text: str) -> str:
    """%(text)s"""
    return words.number(text) if _FIGURE.fullmatch(text) else text


class ErrorCode(CauseCode):
    """The message of an error, as the catalogues have it, and what fills its placeholders."""

    ERROR_MESSAGE = member(_filled)
    ERROR_VALUE = member(_text)


def cause_of(message: str) -> Cause:
    """Return the message of an error as a cause, from which it can be written in any language.

    Characters that JSON cannot hold are escaped: a message may quote the name of a file, which need not be
    Unicode.
    """
    text = str.__str__(message).encode(errors="backslashreplace").decode()
    if not isinstance(message, FilledMessage):
        return ErrorCode.ERROR_VALUE.cause(text=text)
    if not message.template:
        return ErrorCode.ERROR_MESSAGE.cause(template=text.replace("%", "%%"))
    values = tuple(
        cause_of(value if isinstance(value, str) else str(value)) for value in message.values.values()
    )
    return ErrorCode.ERROR_MESSAGE.cause(
        template=message.template, fields=tuple(message.values), values=values
    )


def brief_json(cause: Cause) -> str:
    """Return code and parameters as JSON, without the sentences that follow from them."""
    return json.dumps(_without_texts(cause), ensure_ascii=False)


def _without_texts(value: object) -> object:
    if isinstance(value, Cause):
        return {"code": value.code, "parameters": {k: _without_texts(v) for k, v in value.parameters.items()}}
    return [_without_texts(part) for part in value] if isinstance(value, tuple) else value


def _of_store(words: Words, message: tuple[Cause], remedy: tuple[Cause]) -> str:
    """%(message)s"""
    return one(words, message)


def _of_error(words: Words, message: tuple[Cause]) -> str:
    """%(message)s"""
    return one(words, message)


class FailureCode(CauseCode):
    """Why a job failed. Codes that begin with `comparison_` are those of comparisons."""

    def __init__(self, error: Message, remedy: str) -> None:
        super().__init__(error)
        self.remedy = remedy

    @property
    def message(self) -> Message:
        return self.value[0]

    UNEXPECTED_ERROR = (
        N_("Reelproof met an error it did not expect, so there is no result."),
        N_(
            "Upload the file again. If it fails again, note this page's address and look at the "
            "messages in the terminal Reelproof runs in: they say what went wrong."
        ),
    )
    COMPARISON_UNEXPECTED_ERROR = (
        UNEXPECTED_ERROR[0],
        N_(
            "Compare the two files again. If it fails again, note this page's address and look at the "
            "messages in the terminal Reelproof runs in: they say what went wrong."
        ),
    )
    OUT_OF_TIME = (
        N_("The analysis was stopped because it took longer than the time limit."),
        N_("Cut out the part in question and submit that, or raise REELPROOF_TIME_LIMIT."),
    )
    COMPARISON_OUT_OF_TIME = (
        N_("The comparison was stopped because it took longer than the time limit."),
        N_("Cut out the part in question, upload and compare that, or raise REELPROOF_TIME_LIMIT."),
    )
    OUT_OF_MEMORY = (
        N_("There was not enough memory to analyse this file."),
        N_("Close other programs or upload a shorter or smaller version, then try again."),
    )
    COMPARISON_OUT_OF_MEMORY = (
        N_("There was not enough memory to compare these files."),
        N_("Close other programs or compare shorter or smaller versions, then try again."),
    )
    CRASHED = (
        N_("The file crashed the decoder. Nothing else was affected, and there is no result."),
        N_(
            "The file is damaged or was built to do this. Play it in a video program, save it again "
            "from there if that works, and upload that; keep the original."
        ),
    )
    COMPARISON_CRASHED = (
        N_("One of the two files crashed the decoder. Nothing else was affected, and there is no result."),
        CRASHED[1],
    )
    DISK_FULL = (
        N_("The disk that holds Reelproof's data is full, so the result could not be written."),
        N_("Free some space on it, then upload the file again."),
    )
    COMPARISON_DISK_FULL = (DISK_FULL[0], N_("Free some space on it, then compare the files again."))
    DISK_READ_ONLY = (
        N_("The disk that holds Reelproof's data is read-only, so the result could not be written."),
        N_("The operator of Reelproof must check it and make it writable. Then upload the file again."),
    )
    COMPARISON_DISK_READ_ONLY = (
        DISK_READ_ONLY[0],
        N_("The operator of Reelproof must check it and make it writable. Then compare the files again."),
    )
    WORKER_LOST = (
        N_("Worker lost: the process that analysed this file was killed three times."),
        N_(
            "This often means that the machine ran out of memory. Close other programs or upload a "
            "shorter version, then try again."
        ),
    )
    COMPARISON_WORKER_LOST = (
        N_("Worker lost: the process that compared these files was killed three times."),
        N_(
            "This often means that the machine ran out of memory. Close other programs or compare shorter "
            "versions, then try again."
        ),
    )
    MEMORY_LIMIT = (
        N_("The analysis needed more memory than the %(megabytes)s MB allowed."),
        N_("Submit a shorter or smaller version, or raise REELPROOF_MEMORY_LIMIT_MB."),
    )
    PROCESSOR_SECOND = (
        N_("The analysis needed more processor time than the one second allowed."),
        N_("Cut out the part in question and submit that, or raise REELPROOF_CPU_LIMIT."),
    )
    PROCESSOR_LIMIT = (
        N_("The analysis needed more processor time than the %(processor_seconds)s seconds allowed."),
        PROCESSOR_SECOND[1],
    )
    WALL_SECOND = (
        N_("The analysis took longer than the one second allowed."),
        N_("Cut out the part in question and submit that, or raise REELPROOF_TIME_LIMIT."),
    )
    WALL_LIMIT = (
        N_("The analysis took longer than the %(wall_seconds)s seconds allowed."),
        WALL_SECOND[1],
    )
    WRITTEN_LIMIT = (
        N_("The analysis wrote more than the %(megabytes)s MB allowed."),
        N_("Submit a shorter or smaller version, or raise REELPROOF_TEMP_LIMIT_MB."),
    )
    PICTURES_CANCELLED = (
        N_("Heatmaps and film strips were cancelled."),
        N_("To have them made, analyse the exhibit again."),
    )
    PICTURES_FAILED = (
        N_("Heatmaps and film strips could not be made: the process that was to make them ended early."),
        N_("To try again, analyse the exhibit again. The terminal Reelproof runs in says what went wrong."),
    )
    REFUSED = (_of_error, "")
    STORE_ERROR = (_of_store, "")
    ENGINE_ERROR = (_of_error, N_("Once that is corrected, upload the file again."))


def remedy_of(cause: Cause, words: Words = ENGLISH) -> str:
    """Return what to do about a failure; empty if its message says it, or for an unknown code."""
    code = CODES.get(cause.code)
    if "remedy" in cause.parameters:
        return PARAMETERS["remedy"].form(words, cause.parameters["remedy"])
    return words.message(code.remedy) if isinstance(code, FailureCode) and code.remedy else ""
