"""The words of the verdict's reason. Each function gives the reason of one outcome.

:mod:`~detector.verdict.reasons.finding` says why an exhibit counts as manipulated,
:mod:`~detector.verdict.reasons.no_finding` what was judged where nothing was found. Open verdicts are those
where too little could be judged (:mod:`~detector.verdict.reasons.unjudged`) and those where scores are too
high to rule a finding out (:mod:`~detector.verdict.reasons.doubt`);
:mod:`~detector.verdict.reasons.why_open` chooses among these. :mod:`~detector.verdict.reasons.beside` has
the sentences that follow, whatever the verdict is, and :mod:`~detector.verdict.reasons.not_seen` those of
what of the file was not looked at. :mod:`~detector.verdict.reasons.words` has parts of sentences.
"""
