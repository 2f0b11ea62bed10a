"""How far the fields of two analyses of one exhibit may differ: a table by class and name of the field.

A field that does not stand here must be equal; numbers with decimals to a thousandth. What is `ELSEWHERE` is
compared by the modules beside this one, or follows from other fields; what is `NOT_COMPARED` stands in
docs/evidence.md.
"""

from __future__ import annotations

from detector.schema.analysis import Analysis, Joint, Person, Segment
from detector.schema.measurements import Answers, SecondLook, SecondLookMoment
from detector.schema.metadata import MarkSearch
from detector.schema.method import Software
from detector.schema.model import Model
from detector.schema.peaks import CalmFrame, CloseUp, Peak, PeakMap, StripFace
from detector.schema.voice import (
    ChannelFinding,
    SoundStream,
    Voice,
    VoiceCheck,
    VoicePeak,
    VoiceProperty,
    VoiceScores,
    VoiceSegment,
    Waveform,
)
from detector.verdict.reproducibility.field_agreement import ELSEWHERE, NOT_COMPARED, FieldRules, Rule
from detector.verdict.reproducibility.segment_agreement import LOGITS, TOLERANCE

_PROBABILITY = Rule(by=TOLERANCE.probability)
_LOGIT = Rule(by=LOGITS, share=LOGITS)
_COVERED = Rule(by=0.15)  # share of faces; one of seven
_STABILITY = Rule(by=0.25)  # one view in four
_SAME_FRAMES = 1e-6  # seconds
_PIXELS = Rule(by=2.0)
_SECONDS = Rule(by=0.5, share=0.01)  # of sound, a cell of which may change sides
_PICTURE = Rule(both=True)  # a path, null where pictures are not kept
_LEVELS = Rule(by=1.0)  # of a waveform, thousandths of full scale


def _elsewhere(*names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, ELSEWHERE)


FIELDS: FieldRules = {
    Analysis: {
        **_elsewhere(
            "verdict", "kind", "reason", "causes", "probability", "answers", "stability", "persons", "media"
        ),
        **_elsewhere("parameters", "coverage", "others", "voice"),
        "declarations": ELSEWHERE,
        "segments": Rule(key="id", alone=1.0),
        "picture": _PICTURE,
        "boxed": _PICTURE,
    },
    Joint: _elsewhere("verdict", "reason"),
    MarkSearch: {"sound": Rule(by=0.5, share=0.01, both=True), "note": Rule(both=True)},
    Model: _elsewhere(*(name for name in Model.model_fields if name != "second_look")),
    Software: dict.fromkeys(
        (name for name in Software.model_fields if name not in ("reelproof", "command")), NOT_COMPARED
    )
    | {"command": ELSEWHERE},
    Person: {
        **_elsewhere(*Person.model_fields),
        "grey": _COVERED,
        "covered": _COVERED,
        "second_look": Rule(both=True),
    },
    SecondLook: {
        **_elsewhere(*SecondLook.model_fields),
        "in_segments": Rule(),
        "moments": Rule(key="pts", alone=1.0),
    },
    Answers: _elsewhere(*Answers.model_fields),
    SecondLookMoment: {
        **dict.fromkeys(("inner_altered", "inner_synthesised", "head_altered", "head_synthesised"), _LOGIT),
        "time": Rule(by=_SAME_FRAMES),
    },
    Segment: {
        **_elsewhere(*Segment.model_fields),
        "covered": _COVERED,
        "peaks": Rule(key="pts", alone=1.0),
        "calm": Rule(both=True),
        "strip": Rule(key="pts", alone=1.0),
    },
    Peak: {
        **_elsewhere("time", "frame_index", "probability", "box", "heat", "check"),
        **dict.fromkeys(("frame", "overlay", "map", "close_up"), _PICTURE),
        "maps": Rule(key="method", alone=1.0),
    },
    CloseUp: {"part": _PIXELS},
    PeakMap: {**_elsewhere(*PeakMap.model_fields), "overlay": _PICTURE, "map": _PICTURE},
    CalmFrame: {**_elsewhere(*CalmFrame.model_fields), "frame": _PICTURE},
    StripFace: _elsewhere("time", "probability"),
    Voice: {
        "segments": Rule(key="id", alone=1.0),
        "other_channels": Rule(key="channels"),
    },
    ChannelFinding: {
        **_elsewhere("channels", "verdict", "reason", "causes", "probability", "gaps"),
        "stability": _STABILITY,
        "speech": Rule(by=0.1, share=0.01),
        "not_judged": _SECONDS,
        "scores": Rule(key="time", alone=0.01),
        "properties": Rule(key="name"),
        "spectrogram": _PICTURE,
    },
    SoundStream: {"start": Rule(by=0.01), "duration": Rule(by=0.05)},
    VoiceSegment: {
        **_elsewhere("start", "end", "confidence", "channels"),
        "windows": Rule(by=2),
        "peaks": Rule(key="time", alone=1.0),
    },
    VoicePeak: {
        **_elsewhere("probability", "heat"),
        "spectrogram": _PICTURE,
        "overlay": _PICTURE,
        "check": Rule(both=True),
    },
    VoiceCheck: {
        **dict.fromkeys(("probability", "hidden_highlight", "hidden_random"), _PROBABILITY),
        **_elsewhere("drop_highlight", "drop_random"),
    },
    VoiceScores: {
        "logit": _LOGIT,
        "probability": _PROBABILITY,
        "smoothed": _PROBABILITY,
    },
    VoiceProperty: {"value": Rule(by=1.0, share=0.02)},
    Waveform: {"start": Rule(by=0.01), "low": _LEVELS, "high": _LEVELS},
}
