"""The verdict's reason, stored in English, in the language of whoever reads it."""

from __future__ import annotations

import pytest

from detector.schema.analysis import Coverage, MediaKind, Parameters, Person
from detector.verdict import reasons
from detector.verdict.judged_persons import JudgedExhibit
from language import translation

LANGUAGES = [code for code in translation.LANGUAGES if code != translation.DEFAULT]
# What the engine writes (detector/verdict/reasons/), with its translation into each of them.
PERSONS = ("Person A", "Person A", "Persona A"), ("Persons A, B, C", "Personen A, B, C", "Personas A, B, C")
FINDINGS = (
    (
        "12 segments flagged as manipulated",
        "12 Segmente als manipuliert markiert",
        "12 segmentos con señal de manipulación",
    ),
    (
        "the face carries traces of manipulation",
        "Das Gesicht trägt Spuren von Manipulation",
        "el rostro presenta huellas de manipulación",
    ),
)
KINDS = (
    ("", "", ""),
    (
        "; the traces are those of a face that was replaced or altered",
        "; die Spuren sind die eines Gesichts, das ersetzt oder verändert wurde",
        "; las huellas son las de un rostro que fue sustituido o alterado",
    ),
    (
        "; the traces are those of a face generated as a whole",
        "; die Spuren sind die eines Gesichts, das als Ganzes generiert wurde",
        "; las huellas son las de un rostro generado por completo",
    ),
    (
        "; the traces do not show whether it was swapped or edited, or generated as a whole",
        "; ob es getauscht oder bearbeitet oder als Ganzes generiert wurde, verraten die Spuren nicht",
        "; las huellas no dicen si fue intercambiado o editado, o generado por completo",
    ),
    (
        "; A: face swap or edit, B: kind not told, C: generated face",
        "; A: Gesichtstausch oder -bearbeitung, B: Art nicht erkennbar, C: generiertes Gesicht",
        "; A: intercambio o edición de rostro, B: tipo no determinado, C: rostro generado",
    ),
    ("; A: kind not told", "; A: Art nicht erkennbar", "; A: tipo no determinado"),
)
CONTRASTS = (
    ("", "", ""),
    (
        "; its difference from the rest of its track was taken into account",
        "; mitgezählt hat, dass das Gesicht dort vom Rest seiner Spur abweicht",
        "; ha contado que el rostro difiere allí del resto de su trayectoria",
    ),
    (  # of earlier analyses
        "; it counted that the face there differs from the same person's before and after",
        "; mitgezählt hat, dass das Gesicht dort von dem derselben Person davor und danach abweicht",
        "; ha contado que el rostro difiere allí del de la misma persona antes y después",
    ),
)


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("persons", PERSONS)
def test_every_clause_of_a_finding_is_translated(
    persons: tuple[str, ...], finding: tuple[str, ...], kind: tuple[str, ...], contrast: tuple[str, ...]
) -> None:
    english, *others = (
        f"{who}: {clause}{of_kind}{differs}."
        for who, clause, of_kind, differs in zip(persons, finding, kind, contrast, strict=True)
    )
    for code, expected in zip(LANGUAGES, others, strict=True):
        with translation.speaking(code):
            assert translation.translated(english) == expected
            damaged = translation.translated(
                f"{english} The file is damaged: a part of the picture is missing."
            )
        assert damaged.startswith(expected)


def test_kinds_of_several_persons_are_translated() -> None:
    names = "ABCDEFGHIJKLMNOPQRST"
    kinds = ", ".join(f"{name}: generated face" for name in names)
    who = f"Persons {', '.join(names)}"
    with translation.speaking("de"):
        sentence = translation.translated(f"{who}: the face carries traces of manipulation; {kinds}.")
    assert sentence.endswith("Manipulation; " + kinds.replace("generated face", "generiertes Gesicht") + ".")


def test_an_untranslated_clause_stays_unchanged() -> None:
    with translation.speaking("de"):
        sentence = translation.translated("Person A: the face carries traces of manipulation; so they say.")
    assert sentence == "Person A: Das Gesicht trägt Spuren von Manipulation; so they say."


def test_everything_that_is_damaged_is_translated() -> None:
    english = (
        "The file is damaged or incomplete: the first 0.7 s cannot be decoded (they begin between two key "
        "frames); 17 of its frames or packets could not be used; 0.5 s are missing at its end."
    )
    with translation.speaking("de"):
        assert translation.translated(english) == (
            "Die Datei ist beschädigt oder unvollständig: die ersten 0,7 s lassen sich nicht dekodieren "
            "(sie beginnen zwischen zwei Schlüsselbildern); 17 ihrer Bilder oder Pakete waren nicht "
            "verwendbar; am Ende fehlen 0,5 s."
        )
    with translation.speaking("es"):
        assert "the " not in translation.translated(english)


def test_a_reason_of_earlier_analyses_is_still_translated() -> None:
    stored = (
        "Person A: the score lies so near the threshold that small changes of the same pictures (mirrored, "
        "shifted, scaled, re-encoded) move it across."
    )
    for code, expected in (
        ("de", "Person A: Der Wert liegt so nahe"),
        ("es", "Persona A: la puntuación"),
    ):
        with translation.speaking(code):
            assert translation.translated(stored).startswith(expected)


REACHED = (
    (
        "Person B reached the threshold for a finding, but for less than 0.5 s at a time, too short for one.",
        "Person B: Die Schwelle für einen Befund wurde erreicht, jedoch jeweils für weniger als 0,5 s",
        "Persona B: se alcanzó el umbral para un hallazgo, pero durante menos de 0,5 s seguidos",
    ),
    (
        "Persons A, B reached the threshold for a finding for at least 0.5 s, but in no more than 1 sampled "
        "frame at a time, too few for one and too long to rule one out.",
        "Personen A, B: Die Schwelle für einen Befund wurde mindestens 0,5 s lang erreicht, jedoch in "
        "höchstens 1 Stichprobe hintereinander",
        "Personas A, B: se alcanzó el umbral para un hallazgo durante al menos 0,5 s, pero en no más de "
        "1 fotograma muestreado a la vez",
    ),
    (
        "Person A: the threshold for a finding is reached, but in no more than 2 sampled frames at a time, "
        "but the score over all frames is too high to rule one out.",
        "Person A: die Schwelle für einen Befund wird erreicht, jedoch in höchstens 2 Stichproben",
        "Persona A: se alcanza el umbral para un hallazgo, pero en no más de 2 fotogramas muestreados",
    ),
    (
        "2 persons judged in 27 sampled frames; Person B reached the threshold for a finding, but for less "
        "than 0.5 s at a time, which is too short for one.",
        "2 Personen wurden in 27 Stichproben beurteilt; Person B: Die Schwelle für einen Befund wurde",
        "Se juzgó a 2 personas en 27 fotogramas muestreados; Persona B: se alcanzó el umbral",
    ),
    (
        "Person A scored high, but could be judged in only 1 sampled frame, too short to judge: a finding "
        "takes 0.5 s, and at least 8 are needed to find none.",  # of earlier analyses
        "Person A: hohe Werte, aber in nur 1 Stichprobe beurteilbar, zu kurz",
        "Persona A: valores altos, pero solo se pudo juzgar en 1 fotograma muestreado, demasiado poco",
    ),
    (
        "Person A scored high, but could be judged in no more than 2 sampled frames, too few to judge: a "
        "finding takes several in a row over at least 0.5 s, and at least 8 are needed to find none.",
        "Person A: hohe Werte, aber in höchstens 2 Stichproben beurteilbar, zu wenig",
        "Persona A: valores altos, pero solo se pudo juzgar en un máximo de 2 fotogramas muestreados, muy",
    ),
)


@pytest.mark.parametrize("sentences", REACHED)
def test_persons_that_reached_the_threshold_are_translated(sentences: tuple[str, str, str]) -> None:
    english, *others = sentences
    for code, expected in zip(LANGUAGES, others, strict=True):
        with translation.speaking(code):
            assert translation.translated(english).startswith(expected)
            both = translation.translated(f"Person C: {english[10:]} {REACHED[0][0]}")
        assert both.endswith(("zu kurz ist.", "demasiado corto."))


def test_an_unmeasured_codec_is_translated() -> None:
    coverage = Coverage(
        frames_sampled=40,
        frames_with_face=40,
        frames_with_usable_face=40,
        faces_found=40,
        faces_unusable=0,
        faces_discarded=0,
        cuts=(),
        not_examined=(),
    )
    (cause,) = reasons.other_codec_note("hevc", coverage)
    for code, begins in (("de", "Das Video ist in HEVC kodiert"), ("es", "El vídeo está codificado en HEVC")):
        with translation.speaking(code):
            assert translation.cause_text(cause).startswith(begins)
    assert reasons.other_codec_note("h264", coverage) == []
    unjudged = coverage.model_copy(update={"frames_with_usable_face": 0})
    assert reasons.other_codec_note("hevc", unjudged) == []


JUDGED = (
    (
        "1 usable face was judged; it did not reach the threshold for a finding.",
        "1 auswertbares Gesicht wurde beurteilt; es erreichte die Schwelle für einen Befund nicht.",
        "Se juzgó 1 rostro evaluable; no alcanzó el umbral para un hallazgo.",
    ),
    (
        "18 usable faces were judged; none reached the threshold for a finding.",
        "18 auswertbare Gesichter wurden beurteilt; keines erreichte die Schwelle für einen Befund.",
        "Se juzgaron 18 rostros evaluables; ninguno alcanzó el umbral para un hallazgo.",
    ),
    (
        "1 person judged in 1 sampled frame; none reached the threshold for a finding.",
        "1 Person wurde in 1 Stichprobe beurteilt; sie erreichte die Schwelle für einen Befund nicht.",
        "Se juzgó a 1 persona en 1 fotograma muestreado; no alcanzó el umbral para un hallazgo.",
    ),
    (
        "20 persons judged in 1500 sampled frames; none reached the threshold for a finding.",
        "20 Personen wurden in 1500 Stichproben beurteilt; keine erreichte die Schwelle für einen Befund.",
        "Se juzgó a 20 personas en 1500 fotogramas muestreados; ninguna alcanzó el umbral para un hallazgo.",
    ),
    (
        "1 person judged in 40 sampled frames; Person A reached the threshold for a finding, but for less "
        "than 0.5 s at a time, which is too short for one.",
        "1 Person wurde in 40 Stichproben beurteilt; Person A: Die Schwelle für einen Befund wurde erreicht, "
        "jedoch jeweils für weniger als 0,5 s, was dafür zu kurz ist.",
        "Se juzgó a 1 persona en 40 fotogramas muestreados; Persona A: se alcanzó el umbral para un "
        "hallazgo, pero durante menos de 0,5 s seguidos, lo que es demasiado corto.",
    ),
)


@pytest.mark.parametrize("sentences", JUDGED)
def test_counts_of_judged_faces_agree_in_number(sentences: tuple[str, str, str]) -> None:
    english, *others = sentences
    for code, expected in zip(LANGUAGES, others, strict=True):
        with translation.speaking(code):
            assert translation.translated(english) == expected


def test_reasons_are_translated() -> None:
    def told(image: bool, judged: int, briefly: tuple[str, ...] = ()) -> str:
        coverage = Coverage(
            frames_sampled=40,
            frames_with_face=40,
            frames_with_usable_face=40 if judged == 1 else 1500,
            faces_found=judged,
            faces_unusable=0,
            faces_discarded=0,
            cuts=(),
            not_examined=(),
        )
        persons = [Person.model_construct(id=f"P{number}", usable_frames=40) for number in range(judged)]
        kind = MediaKind.IMAGE if image else MediaKind.VIDEO
        return reasons.nothing_found(JudgedExhibit(kind, Parameters(), coverage, persons, ()), briefly).text

    sentences = {told(True, 1), told(True, 18), told(False, 20), told(False, 1, ("A",))}
    assert sentences < {english for english, *_ in JUDGED}
