"""Sentences of model cards: what a model was validated on, and its limits."""

from __future__ import annotations

from detector.schema.causes.cause import PARAMETERS, CauseCode, Parameter
from detector.schema.formatting import N_

PARAMETERS |= {
    "auc": Parameter(float, "AUC over single faces", "", lambda words, value: words.number(f"{value:.2f}")),
    "before": Parameter(int, "clips flagged before"),
    "clips": Parameter(int, "number of clips"),
    "data_set": Parameter(str, "name of somebody's own data set"),
    "few": Parameter(int, "faces in the smallest groups"),
    "films": Parameter(int, "clips of films, television and stock footage"),
    "flagged": Parameter(int, "number of those that were flagged"),
    "found": Parameter(int, "number of those that were found"),
    "generated": Parameter(int, "generated photographs"),
    "generated_flagged": Parameter(int, "those flagged"),
    "half_few": Parameter(int, "groups flagged at half size, of the smallest"),
    "half_generated": Parameter(int, "generated photographs flagged at half size"),
    "half_many": Parameter(int, "groups flagged at half size, of the largest"),
    "half_middle": Parameter(int, "groups flagged at half size, of the middle ones"),
    "half_retouched": Parameter(int, "retouched photographs flagged at half size"),
    "half_wrong": Parameter(int, "unmanipulated photographs flagged at half size"),
    "inconclusive": Parameter(int, "number of those that were left inconclusive"),
    "inside": Parameter(float, "AUC inside a page", "", lambda words, value: words.number(f"{value:.2f}")),
    "lips": Parameter(tuple, "programs", "", lambda _words, names: ", ".join(names)),
    "longest": Parameter(int, "seconds of the longest clip"),
    "lost": Parameter(float, "loss of AUC", "", lambda words, value: words.number(f"{value:.2f}")),
    "many": Parameter(int, "faces in the largest groups"),
    "middle": Parameter(int, "faces in the middle groups"),
    "missed": Parameter(int, "number of those that were not flagged"),
    "of_few": Parameter(int, "groups flagged, of the smallest"),
    "of_many": Parameter(int, "groups flagged, of the largest"),
    "of_middle": Parameter(int, "groups flagged, of the middle ones"),
    "others": Parameter(int, "number of others"),
    "others_flagged": Parameter(int, "those flagged"),
    "photographs": Parameter(int, "number of photographs"),
    "quality": Parameter(int, "quality of JPEG"),
    "retouched": Parameter(int, "retouched photographs"),
    "retouched_flagged": Parameter(int, "those flagged"),
    "shortest": Parameter(int, "seconds of the shortest clip"),
    "sources": Parameter(int, "number of independent sources"),
    "swaps": Parameter(tuple, "programs", "", lambda _words, names: ", ".join(names)),
    "talking": Parameter(tuple, "programs", "", lambda _words, names: ", ".join(names)),
    "unmanipulated": Parameter(int, "number of unmanipulated ones"),
    "video": Parameter(tuple, "programs", "", lambda _words, names: ", ".join(names)),
    "wrong": Parameter(int, "unmanipulated ones flagged"),
}


class CardCode(CauseCode):
    """What cards say of models: domain, limits, and the material of validated ranges."""

    UNSEEN_METHODS = N_("Methods unlike those it was trained and measured on may go unseen.")
    GENERATED_FACES_LESS_SURELY = N_(
        "Faces generated as a whole (talking heads, generated photographs) are recognised less reliably than "
        "altered ones; the second look is there for them."
    )
    DFDC_LESS_WELL = N_(
        "It sees DFDC's kinds of swaps a little less well than the second generation did, and "
        "FaceForensics++, reenactment and lip-sync far better."
    )
    INNER_FACE_ALONE = N_("This model judges inner faces alone, and nothing else in the picture.")
    DFDC_ACTORS_RECUR = N_(
        "Actors recur across DFDC's videos, so its test figures flatter the model a little."
    )
    FEW_STRONGLY_COMPRESSED = N_(
        "Figures for strong compression (FaceForensics++ c40) rest on few clips of few people."
    )
    ALIKE_MANIPULATION = N_(
        "Filters, make-up effects, heavy retouching and hard re-compression can look like manipulation."
    )
    REENACTMENT_LESS_SURELY = N_(
        "Reenactment that keeps the identity (Face2Face) is recognised far less reliably than face swaps, "
        "and mostly missed where it fills only part of a strongly compressed clip."
    )
    WHOLLY_SYNTHETIC_UNMEASURED = N_(
        "Wholly synthetic faces (generated photographs of people who do not exist) were not measured."
    )
    FACE_ALONE = N_(
        "This model judges faces alone: neither lip-sync to altered sound nor anything else in the picture."
    )
    ACTORS_RECUR = N_(
        "Actors recur across the data set's videos, so its test figures flatter the model a little."
    )
    UNSEEN_GENERATORS = N_(
        "Generators and kinds of footage that were in no training set may go unseen: of the manipulated "
        "clips measured, a share given in the error rates was not flagged. The whole program, which leaves "
        "more verdicts open than the step that measured the rates, did not flag %(missed)s of the "
        "%(clips)s, %(inconclusive)s of them inconclusive."
    )
    VIDEOS_LEARNT = N_(
        "Videos of these were learned from: face swaps and reenactment by %(swaps)s and others; lip-sync by "
        "%(lips)s and others; talking heads by %(talking)s and others; text-to-video by %(video)s and "
        "others. Those of other generators can go unseen."
    )
    TALKING_HEADS_LEAST_SURELY = N_(
        "Talking heads of recent generators (FLOAT above all) are recognised least reliably: %(flagged)s of "
        "%(clips)s clips were flagged, %(inconclusive)s more inconclusive; strongly compressed Face2Face "
        "likewise."
    )
    SCALED_PROBABILITIES = N_(
        "Scores are scaled so that few unmanipulated clips reach the thresholds, not to the share of "
        "manipulated clips in any collection."
    )
    CLIPS_OF_THRESHOLDS = N_(
        "Fusion and thresholds rest on %(clips)s clips, %(unmanipulated)s of them unmanipulated, "
        "%(shortest)s to %(longest)s seconds long. They come from %(sources)s independent sources. People "
        "of DeepFaceLive and HunyuanPortrait and one speech of HDTF were learned from as well."
    )
    PHOTOGRAPHS_MEASURED = N_(
        "Photographs (%(photographs)s of the sets learned from, other pictures): %(wrong)s of "
        "%(unmanipulated)s unmanipulated, %(generated_flagged)s of %(generated)s generated and "
        "%(retouched_flagged)s of %(retouched)s retouched ones were flagged, and %(half_wrong)s, "
        "%(half_generated)s and %(half_retouched)s of the same at half size, as JPEG of quality "
        "%(quality)s: many generated and most retouched photographs are not found. The threshold was raised "
        "after these had been seen."
    )
    GROUP_PHOTOGRAPHS = N_(
        "Group photographs: of %(few)s, %(middle)s and %(many)s unmanipulated faces, drawn from photographs "
        "of one person each, at least one was flagged in %(of_few)s, %(of_middle)s and %(of_many)s of 100 "
        "groups, and in %(half_few)s, %(half_middle)s and %(half_many)s of the same at half size, as JPEG of "
        "quality %(quality)s."
    )
    FILMS_MORE_OFTEN = N_(
        "Films, television and stock footage are flagged more often than other footage: of %(films)s "
        "unmanipulated clips %(flagged)s were flagged, of %(others)s others %(others_flagged)s."
    )
    PAGES_LEFT_OUT = N_(
        "Pages that nothing had learned from were left out: stills of their clips were told apart with an "
        "AUC of %(auc)s, inside a page of %(inside)s; where %(share)s in 100 unmanipulated clips are "
        "flagged, %(found)s in 100 manipulated ones were found."
    )
    SHORT_STRETCHES = N_("Stretches of a second or two: about half are found.")
    READY_MADE_CROPS = N_(
        "Ready-made crops are scored by the scan alone, calibrated for two sets together; on either alone "
        "scores are off by the stated calibration error."
    )
    MISLEADING_PICTURES = N_(
        "Pictures changed on purpose to mislead the scan mislead the fused score of single faces as well: "
        "in one step (FGSM) mostly unnoticed; in eight (PGD) six or seven of ten are noticed, because the "
        "networks contradict each other, and leave the verdict open. Of whole clips of which every frame "
        "was changed so, one to three of ten manipulated ones were still flagged, and three to five of ten "
        "unmanipulated ones were flagged."
    )
    COVERED_FACES = N_(
        "No finding rests on faces whose mouth or eyes are covered, and they rule nothing out, as far as "
        "covers are detected; smaller covers hide what was altered beneath, and can change scores."
    )
    OTHER_CODECS_RAISE = N_(
        "Footage in HEVC, VP9 or AV1 scores higher than the same in H.264, also where it is unmanipulated: "
        "what that adds on average is taken off, so that more of its verdicts are left open; other codecs "
        "were not measured."
    )
    CODEC_BEFORE_H264 = N_(
        "Where footage was in another codec before it was in H.264, as phones record and platforms hand on, "
        "nothing takes off what that adds: of the first four seconds of %(clips)s unmanipulated clips "
        "%(flagged)s were flagged after HEVC and H.264, %(before)s before."
    )
    HEAD_ALONE = N_("This model judges heads alone, and nothing else in the picture.")
    UNKNOWN_SYSTEMS_MISSED = N_(
        "It misses most synthetic speech of systems that it does not know: no finding says little. What it "
        "finds differs much from system to system."
    )
    SHORT_SYNTHETIC_SPEECH = N_("A synthetic stretch of a few seconds inside human speech is seldom found.")
    HUMAN_SPEECH_FLAGGED = N_(
        "Up to three in a hundred human recordings of 4 s are flagged; a long one has more chances to be."
    )
    VOCODED_SPEECH = N_(
        "Speech that was only passed through a good vocoder or neural codec is often not found."
    )
    RECENT_SYSTEMS_MISSED = N_(
        "Of systems of 2022 and later, such as VALL-E, Tortoise and MaskGCT, it misses most speech."
    )
    TELEPHONE = N_(
        "On a telephone line (300 to 3,400 Hz) and in loud noise it separates less well; of what came by "
        "telephone and was sent on as a voice message it finds little."
    )
    OTHER_LANGUAGES = N_(
        "Languages other than English were hardly measured; the language of an exhibit is not recognised."
    )
    SINGING = N_("Singing, whispering, voices over music and several people at once were not measured.")
    CUT_TOGETHER = N_(
        "A voice that was cut from genuine recordings and put together anew is human speech to it."
    )
    OWN_THRESHOLDS = N_("Thresholds of the verdict were chosen on other data than %(data_set)s.")
    UNMEASURED = N_(
        "Its error rates are unknown until it is evaluated on labelled material that it did not learn from."
    )
    SCAN_DOMAIN = N_(
        "Faces at least as wide as the smallest face judged, roughly frontal, in video: face swaps, "
        "reenactment and lip-sync of the generators named under Data. It is meant to find where to look; "
        "with its second look it decides."
    )
    DOMAIN = N_(
        "Faces at least as wide as the smallest face judged, roughly frontal, in video or photographs: face "
        "swaps and reenactment of the kinds in the Deepfake Detection Challenge and FaceForensics++."
    )
    SECOND_LOOK_DOMAIN = N_(
        "Faces at least as wide as the smallest face judged, roughly frontal, in video: face swaps, "
        "reenactment, lip-sync and talking heads of the generators and the kinds of footage named under "
        "Data; photographs of faces, generated or retouched, of the kinds named there."
    )
    VOICE_DOMAIN = N_(
        "Read and spoken speech of one person, mostly English, some Japanese and Chinese, in recordings of "
        "good quality; measured on whole demonstration pages and speakers from which nothing was learned."
    )
    OWN_DOMAIN = N_(
        "Faces and manipulations of the kinds in the data set %(data_set)s, given by whoever trained the "
        "model. What these are, its owner knows; no other kind was measured."
    )
    MOVING_PEOPLE = N_("the clips were footage of people, who move")
    RANGE_WIDTH = N_("crops reduced to 48 px lose %(lost)s of AUC; faces of the clips were 78 to 340 px wide")
    RANGE_CONTRAST = N_("half as bright (16) loses 0.05 of AUC, a quarter (8) 0.16; the clips had up to 74")
    RANGE_SHARPNESS = N_(
        "blur to 0.047 loses 0.09 of AUC, to 0.030 0.19; noise to 0.11 loses 0.04, to 0.20 0.15"
    )
    RANGE_TILT = N_("the clips' faces leaned by 0 to 19°")
    RANGE_GREY = N_("no black-and-white material was measured")
    RANGE_CODECS = N_(
        "the clips were H.264, a few MPEG-4; HEVC, VP9 and AV1 raise scores of unmanipulated footage"
    )
    RANGE_SIDE = N_("the clips had 224 to 1,080 px")
    RANGE_BITS = N_("the clips had 0.0037 (FaceForensics++ c40) to 0.34; x264's crf 40 loses 0.03 of AUC")
    RANGE_FRAME_RATE = N_("the clips had 23.98 to 30, but for two")
    RANGE_JPEG = N_("quality 30 loses 0.01 of AUC, quality 10 0.11")
    RANGE_STILLS = N_("crops of video frames were measured as stills; whole photographs were not")
    RANGE_BANDWIDTH = N_("recordings of 8 kHz bandwidth, and the same limited to a telephone's")
    RANGE_NOISE = N_("recordings as published, and the same with noise 15 dB below the speech")
    SCAN_RANGE_WIDTH = N_(
        "crops reduced to 48 px lose 0.08 of AUC; faces of the clips were 67 to 334 px wide, of two 608"
    )
    SCAN_RANGE_CONTRAST = N_(
        "with the second generation half as bright (16) lost 0.05 of AUC, a quarter (8) 0.16; the clips had "
        "up to 75"
    )
    SCAN_RANGE_SHARPNESS = N_(
        "with the second generation blur to 0.047 lost 0.09 of AUC, to 0.030 0.19; noise to 0.11 lost 0.04, "
        "to 0.20 0.15"
    )
    SCAN_RANGE_SIDE = N_("the clips had 224 to 1,080 px, but for one of 124")
    SCAN_RANGE_BITS = N_(
        "the clips had 0.0036 (FaceForensics++ c40) to 0.55, but for one; x264's crf 40 loses 0.09 of AUC "
        "over frames"
    )
    SCAN_RANGE_JPEG = N_("with the second generation quality 30 lost 0.01 of AUC, quality 10 0.11")
