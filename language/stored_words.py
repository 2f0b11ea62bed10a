"""Words stored in results, model cards and database rows, marked for translation."""

from __future__ import annotations

from language.translation import N_, ngettext

WORDS = (
    # priorities, opinions, names of checks
    N_("low"), N_("high"), N_("agree"), N_("disagree"), N_("unsure"), N_("comparisons"),
    # kinds of streams, and where a file's tags stand
    N_("audio"), N_("subtitle"), N_("PNG text"), N_("JPEG comment"), N_("GIF comment"),
)  # fmt: skip

# What the custody log says was done (`reports.custody.format.Action`).
CUSTODY_ACTIONS = (
    N_("log begun"), N_("intake"), N_("intake again"), N_("analysis queued"), N_("analysis started"),
    N_("finding published"),
    N_("analysis finished"), N_("analysis failed"), N_("analysis cancelled"), N_("analysis retried"),
    N_("analysis paused"), N_("analysis resumed"), N_("analysis prioritised"), N_("comparison queued"),
    N_("comparison started"), N_("comparison finished"), N_("comparison failed"), N_("comparison cancelled"),
    N_("view"), N_("annotation"), N_("import"), N_("reviewers named"), N_("second review"), N_("export"),
    N_("case details"), N_("deletion"), N_("configuration"), N_("account"), N_("integrity check"),
    N_("backup"), N_("restore"), N_("purge"),
)  # fmt: skip

# Names of parameters, and of what a card says a model was validated on.
NAMES = (
    N_("sample rate"),
    N_("detection threshold"),
    N_("detection width"),
    N_("search interval"),
    N_("edge window"),
    N_("edge level"),
    N_("minimum face"),
    N_("minimum confidence"),
    N_("minimum contrast"),
    N_("minimum sharpness"),
    N_("maximum sharpness"),
    N_("minimum colour"),
    N_("minimum detail"),
    N_("maximum flatness"),
    N_("median window"),
    N_("enter threshold"),
    N_("exit threshold"),
    N_("merge gap"),
    N_("minimum duration"),
    N_("bridge gap"),
    N_("minimum usable frames"),
    N_("doubt threshold"),
    N_("second look"),
    N_("seed"),
    N_("weak or more"),
    N_("moderate or more"),
    N_("strong or more"),
    N_("face width"),
    N_("contrast"),
    N_("sharpness"),
    N_("tilt"),
    N_("grey faces"),
    N_("shorter side"),
    N_("skip unreferenced"),
    N_("interpolate below"),
    N_("alternate heads"),
    N_("average odds"),
    N_("duration"),
    N_("expected calibration error"),
    N_("mean temporal IoU"),
    N_("levels"),
    N_("frames/s"),
)

# Messages of calls that stand inside other calls, which Babel's reader of Python does not look into;
# tests/test_translations.py reads the syntax tree and names what lacks here.
INSIDE = (
    N_(" · Exhibit %(exhibit)s"), N_(" at %(there)s"),
    N_(" (person %(person)s)"), N_(", with one of its exhibits"),
)  # fmt: skip


def counted(number: int) -> tuple[str, ...]:
    """Nouns that stored sentences count."""
    return (
        ngettext("sampled frame", "sampled frames", number),
        ngettext("clip", "clips", number),  # the units of rates
        ngettext("crop", "crops", number),
        ngettext("photograph", "photographs", number),
        ngettext("voice", "voices", number),
        ngettext("more picture", "more pictures", number),
        ngettext("more picture track", "more picture tracks", number),
    )


# Names of figures on cards, of their data, and of what was measured.
CARD = (
    N_("develop clips"), N_("frames of develop clips"), N_("dfdc-test crops"), N_("dfdc-val crops"),
    N_("equal error rate"), N_("Brier score"),
    N_("develop clips of FaceForensics++ c40"), N_("manipulated ones flagged"),
    N_("unmanipulated ones flagged"), N_("partly manipulated clips"),
    N_("control clips (a cut or a stretch compressed again)"), N_("splices"), N_("self-blended faces"),
    N_("frames within partly manipulated clips"),
    N_("energy of heatmaps inside the mask against an even map"),
    N_("energy of random maps inside the mask against an even map"),
    N_("energy of perfect maps inside the mask against an even map"), N_("pointing-game hits of heatmaps"),
    N_("energy of heatmaps of scan and second look together inside the mask against an even map"),
    N_("pointing-game hits of heatmaps of scan and second look together"),
    N_("portraits by StyleGAN 1 and StyleGAN 2"), N_("portraits by FLUX.1 with LoRA, of four people"),
    N_("portraits by FLUX.1 with InfiniteYou and by GPT-4o, 29 pictures"),
    N_("composites by experts with Photoshop, in which eyes, nose or mouth were replaced"),
    N_(
        "fusion and thresholds chosen each time without the clip's own group; an early stop of the "
        "training was chosen on these clips"
    ),
    N_("calibrated on validation crops of the same sets"),
    N_("generators and sources of photographs left out"),
    N_("found where 5 in 100 unmanipulated ones are flagged"),
    N_("fitted on stills of role val and other portraits, twice each"), N_("ffpp-crops test"),
    N_("stills test"), N_("stills test at half size"),
    N_("pages left out"), N_("AUC inside pages"), N_("films and stock footage"),
    N_("found where 5 in 100 unmanipulated clips are flagged"), N_("talking heads and avatars"),
    N_("swaps and reenactment"), N_("text-to-video"), N_("lip-sync"), N_("AUC of the answer about them"),
    N_("inconclusive by doubt"), N_("swaps"), N_("swap"), N_("reenactment"), N_("talking head"),
    N_("talking heads and lip-sync"), N_("whole program"), N_("unmanipulated ones inconclusive"),
    N_("manipulated ones inconclusive"), N_("21 partly manipulated clips"),
    N_("8 clips that change every half second"),
    N_("15 clips of two people"),
    N_("the right person alone flagged"), N_("a wrong one flagged"),
    N_("not FaceForensics++"),
    N_("composites"), N_("not attacked"), N_("contradicted"), N_("scan"), N_("fused"), N_("AR at 10"),
    N_("accuracy at 0.5"), N_("AP at tIoU 0.5"), N_("AP at tIoU 0.75"), N_("8 steps"), N_("100 faces"),
    N_("241 develop clips"), N_("dfdc-val crops reduced to 16 px"), N_("dfdc-val crops reduced to 24 px"),
    N_("dfdc-val crops reduced to 32 px"), N_("dfdc-val crops reduced to 40 px"),
    N_("dfdc-val crops reduced to 48 px"), N_("dfdc-val crops reduced to 64 px"),
    N_("dfdc-val crops reduced to 96 px"),
    N_("threshold chosen leaving one identity pair out: balanced accuracy"),
    N_("threshold chosen leaving one identity pair out: manipulated ones flagged"),
    N_("threshold chosen leaving one identity pair out: unmanipulated ones flagged"),
)  # fmt: skip
