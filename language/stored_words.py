"""Words stored in results, model cards and database rows, marked for translation."""

from __future__ import annotations

from language.translation import N_, ngettext

WORDS = (
    # verdicts, kinds and meanings
    N_("manipulated"), N_("no manipulation found"), N_("inconclusive"), N_("synthetic speech found"),
    N_("no synthetic speech found"), N_("no speech"), N_("face swap or edit"),
    N_("generated face"), N_("generated"), N_("composite"), N_("edited"), N_("captured"), N_("inconsistent"),
    # states, priorities and stages
    N_("queued"), N_("running"), N_("paused"), N_("done"), N_("failed"), N_("cancelled"),
    N_("Queued"), N_("Running"), N_("Paused"), N_("Done"), N_("Failed"), N_("Cancelled"),
    N_("low"), N_("normal"), N_("high"), N_("finding and scoring faces"), N_("writing the report"),
    N_("finding where segments begin and end"), N_("listening to voices"), N_("making a thumbnail"),
    N_("reading the exhibit"),
    N_("getting ready"), N_("reading"), N_("looking again"), N_("explaining"),
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


CARD = (
    N_(
        "Faces at least as wide as the smallest face judged, roughly frontal, in video: "
        "face swaps, reenactment and lip-sync of the generators named under Data. It is "
        "meant to find where to look; with its second look it decides."
    ),
    N_(
        "Faces generated as a whole (talking heads, generated photographs) are seen less "
        "surely than altered ones; the second look is there for them."
    ),
    N_(
        "It sees DFDC's kinds of swaps a little less well than the second generation "
        "did, and FaceForensics++, reenactment and lip-sync far better."
    ),
    N_("Sound, and anything outside the inner face, are not examined."),
    N_("Actors recur across DFDC's videos, so its test figures flatter the model a little."),
    N_("develop clips"),
    N_("frames of develop clips"),
    N_("dfdc-test crops"),
    N_("dfdc-val crops"),
    N_("crops reduced to 48 px lose 0.08 of AUC; faces of the clips were 67 to 334 px wide, of two 608"),
    N_(
        "the clips had 0.0036 (FaceForensics++ c40) to 0.55, but for one; x264's crf 40 loses 0.09 of AUC "
        "over frames"
    ),
    N_(  # of cards before
        "the clips had 0.0037 (FaceForensics++ c40) to 0.34; x264's crf 40 loses 0.09 of AUC over frames"
    ),
    N_("the clips had 224 to 1,080 px, but for one of 124"),
    N_(
        "with the second generation blur to 0.047 lost 0.09 of AUC, to 0.030 0.19; noise to 0.11 lost 0.04, "
        "to 0.20 0.15"
    ),
    N_(
        "with the second generation half as bright (16) lost 0.05 of AUC, a quarter (8) 0.16; the clips had "
        "up to 75"
    ),
    N_(  # of cards before
        "with the second generation half as bright (16) lost 0.05 of AUC, a quarter (8) 0.16; the clips had "
        "up to 74"
    ),
    N_("with the second generation quality 30 lost 0.01 of AUC, quality 10 0.11"),
    # Names of figures, of their data and of what was measured.
    N_("equal error rate"),
    N_("accuracy at %(threshold)s"),
    N_("Brier score"),
    N_("balanced accuracy"),
    N_("dfdc-val crops reduced to %(width)s px"),
    N_("develop clips of FaceForensics++ c40"),
    N_("manipulated ones flagged"),
    N_("unmanipulated ones flagged"),
    N_("partly manipulated clips"),
    N_("flagged"),
    N_("control clips (a cut or a stretch compressed again)"),
    N_("splices"),
    N_("threshold chosen leaving one identity pair out: %(figure)s"),
    N_("self-blended faces"),
    N_("frames within partly manipulated clips"),
    N_("energy of heatmaps inside the mask against an even map"),
    N_("energy of random maps inside the mask against an even map"),
    N_("energy of perfect maps inside the mask against an even map"),
    N_("pointing-game hits of heatmaps"),
    N_("energy of heatmaps of scan and second look together inside the mask against an even map"),
    N_("pointing-game hits of heatmaps of scan and second look together"),
)

EARLIER = (
    N_(  # of the first generation
        "Reenactment that keeps the identity (Face2Face) is seen far less surely than face swaps, and where "
        "it fills only part of a clip it was missed in every clip measured."
    ),
    N_(  # of models of somebody's own
        "Thresholds of the verdict were chosen on other data than %(data_set)s; its error rates are unknown "
        "until it is evaluated on a labelled set of its own."
    ),
)

SECOND_LOOK = (
    N_(
        "Faces at least as wide as the smallest face judged, roughly frontal, in video: face swaps, "
        "reenactment, lip-sync and talking heads of the generators and the kinds of footage named under "
        "Data; photographs of faces, generated or retouched, of the kinds named there."
    ),
    N_(
        "Generators and kinds of footage that were in no training set may go unseen: of the manipulated "
        "clips measured, a share given in the error rates was not flagged."
    ),
    N_(
        "The whole program, which leaves more verdicts open than the step that measured the rates, did "
        "not flag %(missed)s of the %(clips)s, %(inconclusive)s of them inconclusive."
    ),
    N_(
        "Videos of these were learnt from: face swaps and reenactment by %(swaps)s and others; lip-sync by "
        "%(lips)s and others; talking heads by %(talking)s and others; text-to-video by %(video)s and others."
    ),
    N_("Those of other generators can go unseen."),
    N_(
        "Talking heads of recent generators (FLOAT above all) are seen least surely: %(flagged)s of "
        "%(clips)s clips were flagged, %(inconclusive)s more inconclusive; strongly compressed Face2Face "
        "likewise."
    ),
    N_(
        "Probabilities are scaled so that few unmanipulated clips reach the thresholds, not to the share "
        "of manipulated clips in any collection."
    ),
    N_(
        "Fusion and thresholds rest on %(clips)s clips, %(unmanipulated)s of them unmanipulated, "
        "%(shortest)s to %(longest)s seconds long."
    ),
    N_("They come from %(sources)s independent sources."),
    N_("People of DeepFaceLive and HunyuanPortrait and one speech of HDTF were learnt from as well."),
    N_(
        "No finding rests on faces of which mouth or eyes are covered, and nobody is cleared by them, as far "
        "as that is told; smaller covers hide what was altered beneath, and can change scores."
    ),
    N_(
        "Photographs (%(photographs)s of the sets learnt from, other pictures): %(wrong)s of "
        "%(unmanipulated)s unmanipulated, %(generated_flagged)s of %(generated)s generated and "
        "%(retouched_flagged)s of %(retouched)s retouched ones were flagged, and %(half_wrong)s, "
        "%(half_generated)s and %(half_retouched)s of the same at half size, as JPEG of quality "
        "%(quality)s: many generated and most retouched photographs are not found."
    ),
    N_("The threshold was raised after these had been seen."),
    N_(
        "Group photographs: of %(few)s, %(more)s and %(many)s unmanipulated faces, drawn from photographs of "
        "one person each, at least one was flagged in %(of_few)s, %(of_more)s and %(of_many)s of 100 groups, "
        "and in %(half_few)s, %(half_more)s and %(half_many)s of the same at half size, as JPEG of quality "
        "%(quality)s."
    ),
    N_(
        "Films, television and stock footage are flagged more often than other footage: of %(films)s "
        "unmanipulated clips %(flagged)s were flagged, of %(others)s others %(others_flagged)s."
    ),
    N_(
        "Pages that nothing had learnt from were left out: stills of their clips were told with an AUC of "
        "%(auc)s, inside a page of %(inside)s; where %(share)s in 100 unmanipulated clips are flagged, "
        "%(found)s in 100 manipulated ones were found."
    ),
    N_(  # of cards before
        "Families of generators that nothing had learnt from were left out: talking heads were told with a "
        "mean AUC of %(talking)s, swaps of %(swaps)s, text-to-video of %(video)s; where %(share)s in 100 "
        "unmanipulated clips are flagged, %(found)s, %(of_swaps)s and %(of_video)s in 100 of them were found."
    ),
    N_(  # of cards before
        "Generators of a new kind: of seventeen left out of what linear heads on the untuned start learnt"
        " from, twelve were told with an AUC of %(told)s or more, portraits by FLUX with %(flux)s, "
        "DeepFaceLive with %(deepfacelive)s."
    ),
    N_(  # of cards before
        "Generators of a new kind: of seventeen left out of what linear heads on the untuned start learnt"
        " from, ten were told with an AUC of %(told)s or more, portraits by FLUX with %(flux)s, "
        "DeepFaceLive with %(deepfacelive)s."
    ),
    N_(  # of cards before
        "Generators of a new kind: of seventeen left out of what linear heads on the untuned start learnt"
        " from, nine were told with an AUC of %(told)s or more, portraits by FLUX with %(flux)s, "
        "DeepFaceLive with %(deepfacelive)s."
    ),
    N_(  # of cards before
        "Generators of a new kind: of seventeen left out of what linear heads on the untuned start learnt"
        " from, eight were told with an AUC of %(told)s or more, portraits by FLUX with %(flux)s, "
        "DeepFaceLive not at all."
    ),
    N_(  # of cards before
        "Generators of a new kind: of seventeen left out of what linear heads on the untuned start learnt"
        " from, seven were told with an AUC of %(told)s or more, portraits by FLUX with %(flux)s, "
        "DeepFaceLive not at all."
    ),
    N_(
        "Footage in HEVC, VP9 or AV1 scores higher than the same in H.264, also where it is unmanipulated: "
        "what that adds on average is taken off, so that more of its verdicts are left open; other codecs "
        "were not measured."
    ),
    N_(
        "Where footage was in another codec before it was in H.264, as phones record and platforms hand on, "
        "nothing takes off what that adds: of the first four seconds of %(clips)s unmanipulated clips "
        "%(flagged)s were flagged after HEVC and H.264, %(before)s before."
    ),
    N_(  # of cards before
        "Footage in HEVC or AV1 scores higher than the same in H.264, also where it is unmanipulated: what "
        "that adds on average is taken off, so that more of its verdicts are left open; other codecs were "
        "not measured."
    ),
    N_(  # of cards before
        "the clips were H.264, a few MPEG-4; HEVC and AV1 raise scores of unmanipulated footage"
    ),
    N_("the clips had 25 to 30"),  # of cards before
    N_("Stretches of a second or two: about half are found."),
    N_("Stretches of a second or two: about three fifths are found."),  # of cards before
    N_("Stretches of a second or two: about two thirds are found."),  # likewise
    N_(
        "Ready-made crops are scored by the scan alone, calibrated for two sets together; on "
        "either alone probabilities are off by the stated calibration error."
    ),
    N_(
        "Pictures changed on purpose to mislead the scan mislead the fused score of single faces"
        " as well: in one step (FGSM) mostly unnoticed; in eight (PGD) six or seven of ten are noticed,"
        " because the networks contradict each other, and leave the verdict open."
    ),
    N_(  # of cards before, likewise the next one
        "Ready-made crops are scored by the first network alone, calibrated for two sets together; on "
        "either alone probabilities are off by the stated calibration error."
    ),
    N_(
        "Pictures changed on purpose to mislead the first network mislead the fused score of single faces"
        " as well: in one step (FGSM) mostly unnoticed; in eight (PGD) seven or eight of ten are noticed,"
        " because the networks contradict each other, and leave the verdict open."
    ),
    N_(
        "Of whole clips of which every frame was changed so, one to three of ten manipulated ones were "
        "still flagged, and three to five of ten unmanipulated ones were flagged."
    ),
    N_("Sound, and anything outside the head, are not examined."),
    N_("portraits by StyleGAN 1 and StyleGAN 2"),
    N_("portraits by FLUX.1 with LoRA, of four people"),
    N_("portraits by FLUX.1 with InfiniteYou and by GPT-4o, 29 pictures"),
    N_("composites by experts with Photoshop, in which eyes, nose or mouth were replaced"),
    N_(
        "fusion and thresholds chosen each time without the clip's own group; an early stop of the "
        "training was chosen on these clips"
    ),
    N_("calibrated on validation crops of the same sets"),
    N_("fitted on stills of role val and other portraits, twice each"),
    N_(  # of cards before
        "fitted on stills of role val and other portraits, twice each, and %(frames)s frames of clips"
    ),
    N_(  # of cards before
        "fitted on stills of role val, twice each, and %(frames)s frames of develop clips"
    ),
    N_("ffpp-crops test"),
    N_("stills test"),
    N_("stills test at half size"),
    N_("generator left out of linear heads on the start"),
    N_("pages left out"),
    N_("generators and sources of photographs left out"),
    N_("found where 5 in 100 unmanipulated ones are flagged"),
    N_("AUC inside pages"),
    N_("films and stock footage"),
    N_("found where 5 in 100 unmanipulated clips are flagged"),
    N_("talking heads and avatars"),
    N_("swaps and reenactment"),
    N_("text-to-video"),
    N_("lip-sync"),
    N_("AUC of the answer about them"),
    N_("inconclusive by doubt"),
    N_("swaps"),
    N_("swap"),
    N_("reenactment"),
    N_("lip-sync"),
    N_("talking head"),
    N_("talking heads and lip-sync"),
    N_("whole program"),
    N_("unmanipulated ones inconclusive"),
    N_("manipulated ones inconclusive"),
    N_("21 partly manipulated clips"),
    N_("8 clips that change every half second"),
    N_("20 develop clips shifted by 3 px"),
    N_("20 develop clips halved"),
    N_("20 develop clips crf 28"),
    N_("60 changed copies"),
    N_("verdict changed"),
    N_("verdict turned over"),
    N_("15 clips of two people"),
    N_("the right person alone flagged"),
    N_("a wrong one flagged"),
    N_("104 changed copies of 26 develop clips"),
    N_("another verdict"),
    N_("not FaceForensics++"),
    N_("composites"),
    N_("not attacked"),
    N_("contradicted"),
    N_("scan"),
    N_("fused"),
    N_("AP at tIoU %(overlap)s"),
    N_("AR at 10"),
    # Domain and limits of the network for voices.
    N_(
        "Read and spoken speech of one person, mostly English, some Japanese and Chinese, in recordings "
        "of good quality; measured on whole demonstration pages and speakers from which nothing was "
        "learned."
    ),
    N_(
        "It misses most synthetic speech of systems that it does not know: no finding says little. What "
        "it finds differs much from system to system."
    ),
    N_("A synthetic stretch of a few seconds inside human speech is seldom found."),
    N_("Up to three in a hundred human recordings of 4 s are flagged; a long one has more chances to be."),
    N_("Speech that was only passed through a good vocoder or neural codec is often not found."),
    N_("On a telephone line (300 to 3,400 Hz) and in loud noise it separates less well."),
    N_("Languages other than English were hardly measured; the language of an exhibit is not recognised."),
    N_("Singing, whispering, voices over music and several people at once were not measured."),
    N_("A voice that was cut from genuine recordings and put together anew is human speech to it."),
)
