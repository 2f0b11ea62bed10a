"""Words stored in results, model cards and database rows, marked for translation."""

from __future__ import annotations

from language.translation import N_, ngettext

WORDS = (
    # verdicts, kinds and meanings
    N_("manipulated"), N_("no manipulation found"), N_("inconclusive"), N_("synthetic speech found"),
    N_("no synthetic speech found"), N_("no speech"), N_("face swap or edit"),
    N_("generated face"), N_("generated"), N_("composite"), N_("edited"), N_("captured"), N_("inconsistent"),
    # states, priorities and stages
    N_("queued"), N_("running"), N_("explaining"), N_("paused"), N_("done"), N_("failed"), N_("cancelled"),
    N_("Queued"), N_("Running"), N_("Paused"), N_("Done"), N_("Failed"), N_("Cancelled"),
    N_("low"), N_("normal"), N_("high"), N_("finding and scoring faces"), N_("writing the report"),
    N_("finding where segments begin and end"), N_("listening to voices"), N_("making a thumbnail"),
    N_("reading the exhibit"),
    N_("getting ready"), N_("reading"), N_("looking again"), N_("second check"), N_("explaining"),
    N_("putting the result into the store"), N_("fetching the exhibit from the store"),
    N_("fetching the two files from the store"), N_("finding what the exhibit shows of the reference"),
    N_("finding how its picture lies in the reference's"), N_("drawing"), N_("finishing"),
    N_("comparing faces and surroundings"),
    # what is watched and where it runs
    N_("comparisons"), N_("queue"), N_("disk"), N_("workers"), N_("backup"), N_("custody"), N_("exhibits"),
    N_("tables"), N_("database"), N_("system"),
    # annotations
    N_("agree"), N_("disagree"), N_("unsure"), N_("agrees"), N_("disagrees"),
    # facts
    N_("video"), N_("photograph"), N_("none"), N_("yes"), N_("no"), N_("constant"), N_("variable"),
    N_("measured"), N_("unnamed"), N_("grey"), N_("colour"), N_("palette"), N_("not judged"), N_("exhibit"),
    N_("reference"), N_("inside"), N_("outside"), N_("not known"), N_("share"), N_("audio"), N_("subtitle"),
    # why sound was not judged, and properties of sound
    N_("silence"), N_("music"), N_("no speech (music, noise)"), N_("too little speech"),
    N_("not decoded"), N_("bandwidth"), N_("signal-to-noise ratio"),
    # where a file's tags and times stand
    N_("file"), N_("stream %(index)s"), N_("track %(track)s"),
    N_("PNG text"), N_("JPEG comment"), N_("GIF comment"),
    # reasons of a result
    N_("without colours of their own (black and white, or toned)"),  # of earlier analyses, as the next six
    N_(
        "%(who)s: the score lies so near the threshold that small changes of the same pictures (mirrored, "
        "shifted, scaled, re-encoded) move it across."
    ),
    N_(
        "%(who)s scored high, but could be judged in only %(frames)s, too short to judge: a finding takes "
        "%(minimum_duration)s s, and %(needed)s to find none."
    ),
    N_(
        "%(who)s scored high, but could be judged in no more than %(frames)s, too short to judge: a finding "
        "takes %(minimum_duration)s s, and %(needed)s to find none."
    ),
    N_("No frame is shown for unusually long: %(told)s%(more)s."),
    N_("; it counted that the face there differs from the same person's before and after"),
    N_("the wider of Clopper–Pearson and bootstrap over sources, at either end"),  # of earlier validations
    N_("The %(count)s %(what)s belong to %(groups)s groups only: intervals are too narrow."),  # likewise
    N_("The %(count)s %(what)s belong to one group: intervals are far too narrow."),
    N_("No face was found as the file is stored; it was examined turned by %(turned)s° clockwise."),
    N_("The file holds sound but no picture, and Reelproof examines faces. %(accepted)s"),
    N_("Accepted are video (%(videos)s) and photos (%(photos)s)."),
    N_("The file cannot be read: it is not a video or photo, or it is damaged or was copied only in part."),
    N_(
        "The video lasts %(length)s by the times in it; at most %(allowed)s are examined at once. Cut out "
        "the part in question, or convert the file if its times are wrong."
    ),
    N_("no face found"), N_("the file breaks off here"), N_("no picture could be decoded here"),
    N_("frames here rest on damaged or missing ones"),
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
    N_("other codecs"),
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
    N_(" · Exhibit %(exhibit)s"), N_("One face differs"), N_("%(people)s faces differ"), N_(" at %(there)s"),
    N_(" (person %(person)s)"), N_(", with one of its exhibits"),
)  # fmt: skip


def counted(number: int) -> tuple[str, ...]:
    """Nouns that stored sentences count."""
    return (
        ngettext("sampled frame", "sampled frames", number),
        ngettext("clip", "clips", number),
        ngettext("develop clip", "develop clips", number),
        ngettext("step", "steps", number),
        ngettext("crop", "crops", number),
        ngettext("photograph", "photographs", number),
        ngettext("voice", "voices", number),
        ngettext("more picture", "more pictures", number),
        ngettext("more picture track", "more picture tracks", number),
        ngettext("day", "days", number),
        ngettext("hour", "hours", number),
        ngettext("second", "seconds", number),
    )


# Names of figures on cards, of their data, and of what was measured.
CARD = (
    N_("develop clips"), N_("frames of develop clips"), N_("dfdc-test crops"), N_("dfdc-val crops"),
    N_("equal error rate"), N_("Brier score"), N_("balanced accuracy"),
    N_("develop clips of FaceForensics++ c40"), N_("manipulated ones flagged"),
    N_("unmanipulated ones flagged"), N_("partly manipulated clips"), N_("flagged"),
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
    N_("stills test"), N_("stills test at half size"), N_("generator left out of linear heads on the start"),
    N_("pages left out"), N_("AUC inside pages"), N_("films and stock footage"),
    N_("found where 5 in 100 unmanipulated clips are flagged"), N_("talking heads and avatars"),
    N_("swaps and reenactment"), N_("text-to-video"), N_("lip-sync"), N_("AUC of the answer about them"),
    N_("inconclusive by doubt"), N_("swaps"), N_("swap"), N_("reenactment"), N_("talking head"),
    N_("talking heads and lip-sync"), N_("whole program"), N_("unmanipulated ones inconclusive"),
    N_("manipulated ones inconclusive"), N_("21 partly manipulated clips"),
    N_("8 clips that change every half second"), N_("20 develop clips shifted by 3 px"),
    N_("20 develop clips halved"), N_("20 develop clips crf 28"), N_("60 changed copies"),
    N_("verdict changed"), N_("verdict turned over"), N_("15 clips of two people"),
    N_("the right person alone flagged"), N_("a wrong one flagged"),
    N_("104 changed copies of 26 develop clips"), N_("another verdict"), N_("not FaceForensics++"),
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
