"""Reasons stored as codes with parameters: the same words as the English sentence, in every language."""

from __future__ import annotations

import pytest

from detector.schema.causes.anomalies import AnomalyPart
from detector.schema.causes.cause import (
    CODES,
    PARAMETERS,
    Cause,
    CauseCode,
    CauseParameter,
    join,
    render,
)
from detector.schema.causes.comparisons import PictureChangeCode
from detector.schema.causes.declarations import SignatureCode, SourceTypeCode
from detector.schema.causes.failures import cause_of
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.remarks import RemarkCode
from detector.schema.causes.spans import SpanCode
from detector.schema.causes.tables import SUBJECTS
from detector.schema.causes.validations import LevelCode, RepetitionCode
from detector.schema.causes.voices import VoiceCode
from detector.schema.formatting import N_
from detector.schema.measurements import Span
from language.languages import DEFAULT, LANGUAGES
from language.translation import cause_text, reason_text, speaking

ONE, TWO = ("A",), ("A", "B")
FLAWS = ("too small", "too dark or too flat")
LONG = N_("The file is empty (0 bytes). Copy or download it again.")
SAMPLES: tuple[tuple[str, dict[str, CauseParameter]], ...] = (
    ("manipulated", {"persons": ONE, "segments": 1, "traces": "face swap or edit", "contrast": True}),
    ("manipulated", {"persons": TWO, "segments": 12}),
    ("photo_manipulated", {"persons": ONE, "traces": "generated face"}),
    ("photo_manipulated", {"persons": ONE, "judged_persons": ONE, "kinds": ("",)}),
    ("photo_manipulated", {"persons": TWO, "judged_persons": TWO, "kinds": ("generated face", "")}),
    ("photo_below_threshold", {}),
    ("photo_faces_below_threshold", {"usable": 3}),
    ("person_below_threshold", {"frames": 1}),
    ("persons_below_threshold", {"judged": 2, "frames": 1234}),
    ("briefly_above_threshold", {"persons": ONE, "judged": 1, "frames": 30, "minimum_duration": 0.5}),
    ("briefly_above_threshold", {"persons": TWO, "judged": 3, "frames": 30, "minimum_duration": 0.5}),
    ("unjudged_persons", {"persons": TWO, "frames": 8}),
    ("unjudged_others", {"count": 7, "frames": 8}),
    ("contradiction", {"persons": ONE}),
    ("unstable_contrast", {"persons": ONE}),
    ("unstable_stretch", {"persons": ONE}),
    ("unstable_score", {"persons": TWO}),
    ("doubtful", {"persons": ONE}),
    ("doubtful", {"persons": ONE, "minimum_duration": 0.5}),
    ("doubtful", {"persons": ONE, "frames": 2}),
    ("doubtful_photo", {"persons": ONE}),
    ("reached_in_few_frames", {"persons": ONE, "minimum_duration": 0.5, "frames": 2}),
    ("reached_briefly", {"persons": ONE, "minimum_duration": 0.5}),
    ("outweighed", {"persons": ONE, "faces": 4}),
    ("outweighed_among_stable", {"persons": ONE, "faces": 4}),
    ("outweighed_among_uncovered", {"persons": ONE, "faces": 4}),
    ("reached_without_colour", {"persons": ONE}),
    ("reached_while_covered", {"persons": ONE}),
    ("no_face", {}),
    ("no_face", {"frames": 16}),
    ("none_usable", {"minimum_face": 48.0}),
    ("photo_flaws", {"faces": 1, "flaws": FLAWS, "minimum_face": 48.0}),
    ("photo_flaws", {"faces": 2, "flaws": FLAWS[1:]}),
    ("other_pictures", {"faces": 1, "flaws": ("drawn in areas of one colour",)}),
    ("other_pictures", {"faces": 2, "flaws": ("drawn in areas of one colour",), "other_flaws": FLAWS}),
    ("too_few_frames", {"frames": 4, "minimum_usable_frames": 8}),
    ("high_in_few_frames",
     {"persons": ONE, "frames": 4, "minimum_duration": 0.5, "minimum_usable_frames": 8}),
    ("mostly_damaged", {"damaged": 20, "total": 30}),
    ("mostly_other_pictures", {"not_judged": 3, "faces": 4, "flaws": ("drawn in areas of one colour",)}),
    ("mostly_unusable", {"not_judged": 3, "faces": 4}),
    ("mostly_discarded", {"left": 5, "total": 6, "discarded": 2, "faces": 4, "unusable": 3}),
    ("mostly_discarded",
     {"left": 5, "total": 6, "discarded": 2, "faces": 4, "unusable": 3, "flaws": FLAWS}),
    ("mostly_discarded", {"left": 2, "total": 3, "discarded": 2, "faces": 1, "unusable": 0}),
    ("mostly_grey", {}),
    ("motionless", {"persons": ONE}),
    ("covered", {"persons": TWO}),
    ("other_codec", {"codec": "HEVC"}),
    ("enlarged", {"width": 426, "height": 240}),
    ("bars", {"frames": 24, "width": 202, "height": 360}),
    ("rotated", {"turned": 90}),
    ("other_tracks", {"streams": (1,)}),
    ("other_tracks", {"streams": (1, 3)}),
    ("trailing_data", {"share": 62}),
    ("other_pages", {"pages": 1}),
    ("other_pages", {"pages": 3}),
    ("transparent", {}),
    ("appended_video", {}),
    ("out_of_order", {"frames": 1}),
    ("out_of_order", {"frames": 30}),
    ("photo_damaged", {}),
    ("damaged", {"lost_at_start": 1.52, "between_key_frames": True, "undecodable": 1234}),
    ("damaged", {"lost_at_start": 1.5, "from_damaged": 12, "lost_at_end": 2.0, "missing": 3.26}),
    ("no_picture", {}),
    ("pictures_not_read", {"problem": (cause_of(LONG),)}),
    ("voice_no_sound", {}),
    ("voice_not_decoded", {}),
    ("voice_refused", {"problem": (cause_of(LONG),)}),
    ("faces_error", {"error": "ArgumentError"}),
    ("faces_out_of_memory", {}),
    ("voice_error", {"error": "ArgumentError"}),
    ("voice_out_of_memory", {}),
    ("voice_no_speech", {}),
    ("voice_too_little", {"seconds": 2.0}),
    ("voice_found", {"seconds": 61.25, "segments": 1}),
    ("voice_found", {"seconds": 61.25, "segments": 12}),
    ("voice_below_threshold", {"seconds": 61.25}),
    ("voice_doubtful", {}),
    ("voice_unstable", {}),
    ("unusable_faces", {"flaws": FLAWS}),
    ("no_face_found", {}),
    ("not_decoded", {}),
    ("from_damaged", {}),
    ("breaks_off", {}),
    ("sound_not_decoded", {}),
    ("rule_first", {}),
    ("rule_any", {}),
    ("rule_majority", {}),
    ("rule_all", {}),
    ("models_say", {"verdict": "inconclusive", "models": ("Reelproof, fourth generation", "My own, second")}),
    ("silence", {}),
    ("no_speech", {}),
    ("too_little_speech", {}),
    ("pauses", {}),
)  # fmt: skip


# Of all other codes, parameters by name, or else by type.
LISTS: dict[str, CauseParameter] = {
    "backends": ("OpenVINO",),
    "changes": (AnomalyPart.HIDDEN_FRAME.cause(),),
    "channels": (1, 2),
    "columns": ("camera",),
    "durations": (AnomalyPart.FILE_DURATION.cause(stated=2.0),),
    "edits": (AnomalyPart.WAITS.cause(delay=1.0),),
    "gaps": (AnomalyPart.GAP.cause(length=1.0, start=2.0),),
    "how": (PictureChangeCode.MIRRORED.cause(),),
    "lacking": ("generator",),
    "level": (LevelCode.BELOW.cause(up_to_value=80.0, unit="px"),),
    "lips": ("MuseTalk",),
    "message": (cause_of(LONG),),
    "moments": (AnomalyPart.MOMENT.cause(time="1904", place="file", name="date"),),
    "qualities": (90, 95),
    "remedy": (cause_of(LONG),),
    "repetition": (RepetitionCode.VOICES_AGAIN.cause(),),
    "signature": (SignatureCode.SIGNER_TRUSTED.cause(),),
    "signs": (AnomalyPart.CODEC_HEADERS.cause(different=2),),
    "sizes": ("2×2", "4×4"),
    "source_type": (SourceTypeCode.PRINT.cause(),),
    "swaps": ("SimSwap", "FSGAN"),
    "tags": (AnomalyPart.TAG.cause(value="Lavf", place="file", name="encoder"),),
    "talking": ("MEMO",),
    "tracks": (AnomalyPart.PICTURE_TRACK.cause(index=1, codec="H.264"),),
    "unreadable": ("EXIF (OSError)",),
    "video": ("Concat-ID",),
}
WORDS = {"place": "file", "material": "human voices", "subjects": "clips", "subjects_first": "clips"}
WITHOUT_WORDS = {"error_message", "error_value", "labelled_as"}  # say what their parameters say


def sample(code: CauseCode) -> tuple[str, dict[str, CauseParameter]]:
    values: dict[str, CauseParameter] = {}
    for name in code.parameters:
        by_type: dict[type, CauseParameter] = {int: 3, float: 2.5, str: WORDS.get(name, "x"), bool: True}
        values[name] = LISTS[name] if PARAMETERS[name].type is tuple else by_type[PARAMETERS[name].type]
    return code.code, values


SAMPLED = {code for code, _ in SAMPLES} | WITHOUT_WORDS
OTHERS = tuple(sample(code) for subject in SUBJECTS for code in subject if code.code not in SAMPLED)


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != DEFAULT])
@pytest.mark.parametrize(("code", "parameters"), (*SAMPLES, *OTHERS))
def test_every_code_is_written_in_every_language(
    code: str, parameters: dict[str, CauseParameter], language: str
) -> None:
    stored = Cause.model_validate_json(CODES[code].cause(**parameters).model_dump_json())
    assert stored.text == render(stored) and "%(" not in stored.text
    assert cause_text(stored) == stored.text
    with speaking(language):
        assert cause_text(stored) != stored.text and "%(" not in cause_text(stored)


def test_results_of_other_versions_keep_their_sentences() -> None:
    later = Cause(code="of_a_later_version", parameters={"number": 3}, text="There are 3.")
    span = Span(start=0, end=1, reason="no face found")
    with speaking("de"):
        assert cause_text(later) == "There are 3."
        assert reason_text(span) == "no face found"
        assert (
            reason_text(Span(start=0, end=1, cause=SpanCode.NO_FACE_FOUND.cause())) == "kein Gesicht gefunden"
        )


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        (ReasonCode.UNJUDGED_OTHERS, {"count": 3}),
        (ReasonCode.UNJUDGED_OTHERS, {"count": 3, "frames": 8, "faces": 1}),
        (ReasonCode.UNJUDGED_OTHERS, {"count": "3", "frames": 8}),
        (ReasonCode.NO_FACE, {"faces": 1}),
        (VoiceCode.NO_SPEECH, {"nothing": 1}),
    ],
)
def test_other_parameters_than_those_of_the_message_are_refused(
    code: CauseCode, parameters: dict[str, CauseParameter]
) -> None:
    with pytest.raises(TypeError):
        code.cause(**parameters)


def test_a_reason_is_written_from_its_causes() -> None:
    causes = RemarkCode.MOSTLY_GREY.cause(), RemarkCode.TRANSPARENT.cause()
    assert join(causes) == f"{causes[0].text} {causes[1].text}"
    assert Span(start=0, end=1, cause=causes[0]).reason == causes[0].text
