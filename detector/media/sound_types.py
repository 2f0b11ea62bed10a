"""Files of sound alone: how those begin that FFmpeg decodes without guessing, and some that it does not."""

from __future__ import annotations

from collections.abc import Callable

from detector.media.container_types import Container
from detector.media.sound_frames import (
    FrameTest,
    ac3_frame,
    adts_frame,
    first_frame,
    loas_frame,
    mpeg_layers,
)
from detector.schema.formatting import N_


def _sound(
    name: str,
    demuxers: tuple[str, ...],
    starts: tuple[bytes, ...],
    endings: tuple[str, ...],
    test: Callable[[bytes], bool] | None = None,
    is_rare: bool = True,
) -> Container:
    return Container(
        name, False, demuxers, starts, test=test, endings=endings, is_sound=True, is_rare=is_rare
    )


def _at(offset: int, *values: bytes) -> Callable[[bytes], bool]:
    """Return a test for one of these values at an offset."""
    return lambda head: head.startswith(values, offset)


def _frames(frame: FrameTest) -> Callable[[bytes], bool]:
    """Return a test for frames that follow each other."""
    return lambda head: first_frame(head, frame) is not None


_GSM_FRAME, _GSM_LEAST, _GSM_SIGN = (
    33,
    25,
    0xD,
)  # bytes, frames that cannot be chance, first four bits of each


def _is_gsm(head: bytes) -> bool:
    signs = head[: len(head) - len(head) % _GSM_FRAME : _GSM_FRAME]
    return len(signs) >= _GSM_LEAST and all(sign >> 4 == _GSM_SIGN for sign in signs)


# M4A, WMA and WebM are recognised as the videos of their containers.
SOUND_CONTAINERS = (
    Container(
        N_("a WAV recording"), False, ("wav",), (b"RF64", b"BW64"), forms=(b"WAVE",),
        test=_at(8, b"WAVE"), endings=(".wav", ".bwf", ".rf64", ".bw64"), is_sound=True,
    ),
    _sound(N_("an Ogg recording"), ("ogg",), (b"OggS",), (".ogg", ".oga", ".opus", ".spx"), is_rare=False),
    _sound(N_("a FLAC recording"), ("flac",), (b"fLaC",), (".flac",), is_rare=False),
    _sound(
        N_("an AMR recording"), ("amr",), (b"#!AMR\n", b"#!AMR-WB\n"), (".amr", ".awb"), is_rare=False
    ),
    _sound(N_("a CAF recording"), ("caf",), (b"caff",), (".caf",), is_rare=False),
    _sound(
        N_("an AIFF recording"), ("aiff",), (b"FORM",), (".aiff", ".aif", ".aifc"),
        _at(8, b"AIFF", b"AIFC"), is_rare=False,
    ),
    _sound(N_("an AU recording"), ("au",), (b".snd",), (".au", ".snd"), is_rare=False),
    _sound(
        N_("a Wave64 recording"), ("w64",), (bytes.fromhex("726966662e91cf11a5d628db04c10000"),), (".w64",),
        is_rare=False,
    ),
    _sound(N_("a dictation in DSS"), ("dss",), (b"\2dss", b"\3dss"), (".dss",), is_rare=False),
    _sound(
        N_("a recording in DTS"), ("dts", "dtshd"),
        (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8", b"DTSHDHDR"),
        (".dts", ".dtshd"),
    ),
    _sound(
        N_("a recording in TrueHD or MLP"), ("truehd", "mlp"), (), (".thd", ".mlp"),
        _at(4, b"\xf8\x72\x6f\xba", b"\xf8\x72\x6f\xbb"),
    ),
    _sound(N_("a recording in WavPack"), ("wv",), (b"wvpk",), (".wv",)),
    _sound(N_("a recording in True Audio"), ("tta",), (b"TTA1",), (".tta",)),
    _sound(N_("a recording in Monkey's Audio"), ("ape",), (b"MAC ",), (".ape",)),
    _sound(N_("a recording in TAK"), ("tak",), (b"tBaK",), (".tak",)),
    _sound(N_("a recording in Musepack"), ("mpc", "mpc8"), (b"MP+", b"MPCK"), (".mpc",)),
    _sound(N_("a recording in DSD"), ("dsf",), (b"DSD ",), (".dsf",)),
    _sound(N_("a recording in DSD"), ("iff",), (b"FRM8",), (".dff",), _at(12, b"DSD ")),
    _sound(
        N_("an Amiga recording"), ("iff",), (b"FORM",), (".8svx", ".maud"), _at(8, b"8SVX", b"16SV", b"MAUD")
    ),
    _sound(N_("a recording of Sound Blaster"), ("voc",), (b"Creative Voice File\x1a",), (".voc",)),
    _sound(N_("a SPHERE recording"), ("nistsphere",), (b"NIST_1A\n",), (".sph", ".nist")),
    _sound(
        N_("an IRCAM recording"), ("ircam",),
        (b"\x64\xa3\1\0", b"\x64\xa3\2\0", b"\x64\xa3\3\0", b"\0\1\xa3\x64", b"\0\2\xa3\x64"),
        (".sf",),
    ),
    _sound(N_("a SoX recording"), ("sox",), (b".SoX", b"XoS."), (".sox",)),
    _sound(N_("a PVF recording"), ("pvf",), (b"PVF1\n",), (".pvf",)),
    _sound(N_("an Ensoniq PARIS recording"), ("epaf",), (b" paf", b"fap "), (".paf", ".fap")),
    _sound(N_("an AVR recording"), ("avr",), (b"2BIT",), (".avr",)),
    _sound(N_("a Psion recording"), ("wve",), (b"ALawSoundFile**",), (".wve",)),
    _sound(N_("a Macintosh recording"), ("hcom",), (), (".hcom",), _at(128, b"HCOM")),
    _sound(N_("a recording in iLBC"), ("ilbc",), (b"#!iLBC20\n", b"#!iLBC30\n"), (".lbc",)),
    _sound(N_("a RealAudio recording"), ("rm",), (b".ra\xfd",), (".ra",)),
    _sound(N_("a recording in GSM"), ("gsm",), (), (".gsm",), _is_gsm),
    # These look for frames, in what begins as nothing else.
    _sound(N_("an AAC recording"), ("aac",), (), (".aac",), _frames(adts_frame), is_rare=False),
    _sound(N_("a recording in AC-3"), ("ac3", "eac3"), (), (".ac3", ".eac3"), _frames(ac3_frame)),
    _sound(N_("an AAC recording"), ("loas",), (), (".loas", ".latm"), _frames(loas_frame)),
    _sound(
        N_("an MP2 recording"), ("mp3",), (), (".mp2", ".mpa"), _frames(mpeg_layers(1, 2)), is_rare=False
    ),
    _sound(N_("an MP3 recording"), ("mp3",), (), (".mp3",), _frames(mpeg_layers(3)), is_rare=False),
)  # fmt: skip
TAGGED_SOUND = Container(
    N_("a recording behind a tag"), False, ("mp3", "aac", "flac", "ac3", "eac3", "tta", "dts"), is_sound=True
)  # fmt: skip
"""What follows a tag that is longer than what is looked at, or of a wrong length."""

_TO_WAV = N_("Export it as wav with the program or device that it comes from, and keep the original.")
UNDECODABLE_SOUND = (
    *((bytes([version]) + b"ds2", N_("a dictation in DS2 (DSS Pro)"), _TO_WAV) for version in range(1, 8)),
    *(
        (start, N_("a voice message in SILK, as of WeChat, QQ or Skype"), _TO_WAV)
        for start in (b"#!SILK", b"\x02#!SILK", b"\x03#!SILK")
    ),
    (b"#!EVS_", N_("a recording in EVS"), _TO_WAV),
    (b"#!AMR_", N_("an AMR recording of several channels"), _TO_WAV),
    (b"#!AMR-WB_", N_("an AMR recording of several channels"), _TO_WAV),
    (b"MS_VOICE", N_("a recording of a Sony voice recorder (MSV, DVF)"), _TO_WAV),
    (b"\xc0\xde\xc2", N_("a recording in Codec 2"), _TO_WAV),
    (b"OFR ", N_("a recording in OptimFROG"), _TO_WAV),
    (b"RIFX", N_("a WAV recording of reversed byte order (RIFX)"), _TO_WAV),
    (b"ajkg", N_("a recording in Shorten"), _TO_WAV),
    (b"ADIF", N_("AAC with one header for the whole file (ADIF)"), _TO_WAV),
    (
        b"MThd",
        N_("a MIDI file, which holds notes and no sound"),
        N_("Submit a recording, if there is one."),
    ),
)
