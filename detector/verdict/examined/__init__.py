"""What was examined, and whether it is enough.

:mod:`~detector.verdict.examined.coverage` says how much of an exhibit was examined, and why not the rest;
:mod:`~detector.verdict.examined.judged_share` whether enough of a person's faces was judged, and
:mod:`~detector.verdict.examined.motion` whether a video shows somebody who moves.
"""
