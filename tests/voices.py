"""A finding about voices made up for tests: real pictures, plausible figures, no engine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from analyses import build, media, scene, write_png

from detector.schema.analysis import Analysis, Coverage, MediaKind, Verdict
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.spans import SpanCode
from detector.schema.measurements import Span
from detector.schema.voice import (
    ChannelFinding,
    SoundStream,
    Spectrogram,
    Voice,
    VoiceCheck,
    VoiceModel,
    VoicePeak,
    VoiceProperty,
    VoiceScores,
    VoiceSegment,
    VoiceVerdict,
    Waveform,
)

_NOTHING = Coverage(
    frames_sampled=0,
    frames_with_face=0,
    frames_with_usable_face=0,
    faces_found=0,
    faces_unusable=0,
    faces_discarded=0,
    cuts=(),
    not_examined=(),
)
HOP, WINDOW = 0.5, 4.0


def voice(
    folder: Path | None = None,
    *,
    duration: float = 20.0,
    spans: tuple[tuple[float, float], ...] = ((3.0, 8.5),),
    verdict: VoiceVerdict | None = None,
    **changes: Any,
) -> Voice:
    """Synthetic speech in ``spans``, human speech elsewhere; pictures are written to ``folder``."""
    times = tuple(WINDOW / 2 + HOP * number for number in range(int((duration - WINDOW) / HOP) + 1))
    high = [any(start <= time <= end for start, end in spans) for time in times]
    chances = tuple((0.93 if hot else 0.12) + 0.05 * math.sin(1.7 * at) for at, hot in enumerate(high))
    segments = tuple(
        VoiceSegment(
            id=f"voice-{number}",
            start=start,
            end=end,
            confidence=0.94,
            windows=max(1, int((end - start) / HOP)),
            peaks=(_peak(folder, number, (start + end) / 2),),
        )
        for number, (start, end) in enumerate(spans, start=1)
    )
    spectrogram = None
    if folder is not None:
        write_png(folder / "overlays/voice.png", scene(5, 640, 120))
        spectrogram = Spectrogram(path="overlays/voice.png", start=0.0, end=duration, highest=8000.0)
    default = VoiceVerdict.SYNTHETIC if spans else VoiceVerdict.NOT_FOUND
    fields: dict[str, Any] = {
        "verdict": verdict or default,
        "reason": "The file has speech." if verdict is VoiceVerdict.INCONCLUSIVE else "",
        "causes": (),
        "probability": 0.94 if spans else 0.14,
        "stability": 1.0,
        "stream": SoundStream(
            index=0, codec="opus", sample_rate=48000, channels=1, start=0.0, duration=duration, others=1
        ),
        "speech": duration - 2.5,
        "not_judged": {"silence": 2.0, "music": 0.5},
        "gaps": (Span(start=duration - 2.5, end=duration, cause=SpanCode.SILENCE.cause()),),
        "segments": segments,
        "scores": VoiceScores(
            window=WINDOW,
            step=HOP,
            enter=0.65,
            leave=0.5,
            time=times,
            logit=tuple(math.log(chance / (1 - chance)) for chance in chances),
            probability=chances,
            smoothed=chances,
        ),
        "properties": (
            VoiceProperty(name="bandwidth", value=8000.0, unit="Hz", least=3400.0, most=8000.0, inside=True),
            VoiceProperty(name="signal-to-noise ratio", value=9.0, unit="dB", least=15.0, inside=False),
        ),
        "waveform": Waveform(
            start=0.0,
            step=duration / 400,
            low=tuple(-int(400 * abs(math.sin(at / 7))) for at in range(400)),
            high=tuple(int(430 * abs(math.sin(at / 7))) for at in range(400)),
        ),
        "spectrogram": spectrogram,
        "model": VoiceModel(
            name="voice",
            title="Voices 1",
            architecture="Whisper base, blocks 1 and 2",
            sha256="c4" * 32,
            figures={"AUC, pages left out": 0.91},
            domain="Speech of 45 demonstration pages.",
            limits=("Singing is not judged.",),
        ),
    }
    return Voice(**(fields | changes))


def two_channels(folder: Path | None = None, **changes: Any) -> Voice:
    """A recording of two parties: synthetic speech on the right channel, human speech on the left one."""
    right, left = voice(folder, **changes), voice(spans=(), duration=changes.get("duration", 20.0))
    assert right.stream is not None
    shared = {name: value for name, value in left if name in ChannelFinding.model_fields}
    other = ChannelFinding(**(shared | {"channels": (1,)}))
    return right.model_copy(
        update={
            "channels": (2,),
            "segments": tuple(s.model_copy(update={"channels": (2,)}) for s in right.segments),
            "stream": right.stream.model_copy(update={"channels": 2, "channel_names": ("FL", "FR")}),
            "other_channels": (other,),
        }
    )


def _peak(folder: Path | None, number: int, time: float) -> VoicePeak:
    paths = [f"overlays/voice-{number}-1{ending}.png" for ending in ("-spectrogram", "")]
    for at, path in enumerate(paths if folder is not None else []):
        assert folder is not None
        write_png(folder / path, scene(at + 3, 400, 128))
    return VoicePeak(
        time=time,
        start=max(0.0, time - WINDOW / 2),
        end=time + WINDOW / 2,
        probability=0.97,
        spectrogram=paths[0] if folder is not None else None,
        overlay=paths[1] if folder is not None else None,
        heat=0.8,
        check=VoiceCheck(
            area=0.1,
            probability=0.97,
            hidden_highlight=0.4,
            hidden_random=0.95,
            drop_highlight=3.2,
            drop_random=0.4,
            areas=8,
            margin=0.6,
        ),
    )


def recording(folder: Path, **changes: Any) -> Analysis:
    """An analysis of a recording without picture, whose voices were examined."""
    duration = changes.pop("duration", 20.0)
    cause = ReasonCode.NO_PICTURE.cause()
    return build(folder, persons=0, segments=0, kept=False, verdict=Verdict.INCONCLUSIVE).model_copy(
        update={
            "reason": cause.text,
            "causes": (cause,),
            "media": media(
                MediaKind.AUDIO,
                duration,
                file="voice message.opus",
                container="ogg",
                codec="opus",
                width=0,
                height=0,
                frames_decoded=0,
                has_sound=True,
            ),
            "coverage": _NOTHING,
            "voice": voice(folder, duration=duration, **changes),
        }
    )
