"""The verdict's reason, a code with parameters, in the language of whoever reads it."""

from __future__ import annotations

import pytest

from detector.schema.analysis import Coverage
from detector.schema.causes.cause import Cause
from detector.schema.causes.reasons import ReasonCode
from detector.schema.causes.remarks import RemarkCode
from detector.verdict import reasons
from language import translation

LANGUAGES = [code for code in translation.LANGUAGES if code != translation.DEFAULT]
PERSONS = ("A", "B", "C")
BRIEFLY = {"persons": ("B",), "judged": 2, "frames": 27, "minimum_duration": 0.5}
WRITTEN = (
    (
        ReasonCode.MANIPULATED.cause(persons=PERSONS, segments=12, contrast=True),
        "Personen A, B, C: 12 Segmente als manipuliert markiert; das Gesicht dort weicht von dem derselben "
        "Person an anderer Stelle ab.",
        "Personas A, B, C: 12 segmentos con señal de manipulación; allí el rostro difiere del de la misma "
        "persona en otros momentos.",
    ),
    (
        ReasonCode.PHOTO_MANIPULATED.cause(
            persons=PERSONS, judged_persons=PERSONS, kinds=("face swap or edit", "", "generated face")
        ),
        "Personen A, B, C: Das Gesicht trägt Spuren von Manipulation; A: Gesichtstausch oder -bearbeitung, "
        "B: Art nicht erkennbar, C: generiertes Gesicht.",
        "Personas A, B, C: el rostro presenta huellas de manipulación; A: intercambio o edición de rostro, "
        "B: tipo no determinado, C: rostro generado.",
    ),
    (
        RemarkCode.DAMAGED.cause(lost_at_start=0.7, between_key_frames=True, undecodable=1234, missing=0.5),
        "Die Datei ist beschädigt oder unvollständig: die ersten 0,7 s lassen sich nicht dekodieren (sie "
        "beginnen zwischen zwei Schlüsselbildern); 1.234 ihrer Bilder oder Pakete waren nicht verwendbar; am "
        "Ende fehlen 0,5 s.",
        "El archivo está dañado o incompleto: los primeros 0,7 s no se pueden decodificar (empiezan entre "
        "dos fotogramas clave); no se pudieron usar 1.234 de sus fotogramas o paquetes; faltan 0,5 s al "
        "final.",
    ),
    (
        ReasonCode.BRIEFLY_ABOVE_THRESHOLD.cause(**BRIEFLY),
        "2 Personen wurden in 27 Stichproben beurteilt; Person B: Die Schwelle für einen Befund wurde "
        "erreicht, jedoch jeweils für weniger als 0,5 s, was dafür zu kurz ist.",
        "Se juzgó a 2 personas en 27 fotogramas muestreados; Persona B: se alcanzó el umbral para un "
        "hallazgo, pero durante menos de 0,5 s seguidos, lo que es demasiado corto.",
    ),
    (
        ReasonCode.PHOTO_BELOW_THRESHOLD.cause(),
        "1 auswertbares Gesicht wurde beurteilt; es erreichte die Schwelle für einen Befund nicht.",
        "Se juzgó 1 rostro evaluable; no alcanzó el umbral para un hallazgo.",
    ),
    (
        ReasonCode.PERSONS_BELOW_THRESHOLD.cause(judged=20, frames=1500),
        "20 Personen wurden in 1500 Stichproben beurteilt; keine erreichte die Schwelle für einen Befund.",
        "Se juzgó a 20 personas en 1500 fotogramas muestreados; ninguna alcanzó el umbral para un hallazgo.",
    ),
    (
        ReasonCode.NO_FACE.cause(frames=24),
        "Es wurde kein Gesicht gefunden (durchsucht: 24 Stichproben), also keines beurteilt.",
        "No se encontró ningún rostro (en ninguno de 24 fotogramas muestreados), así que no se juzgó "
        "ninguno.",
    ),
)


@pytest.mark.parametrize("cause, german, spanish", WRITTEN)
def test_reasons_are_whole_sentences(cause: Cause, german: str, spanish: str) -> None:
    """Clauses, persons, kinds and counts agree with one another."""
    for code, expected in (("de", german), ("es", spanish)):
        with translation.speaking(code):
            assert translation.cause_text(cause) == expected


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
