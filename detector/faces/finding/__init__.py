"""Finding the faces of frames.

Begin at :mod:`~detector.faces.finding.search`: when whole frames are searched, by CenterFace
(:mod:`~detector.faces.finding.detector`, run by :mod:`~detector.faces.finding.centerface`), when only
places that a small network proposes (:mod:`~detector.faces.finding.proposals`), and that faces are
followed by their pictures in between (:mod:`~detector.faces.finding.interpolation`,
:mod:`~detector.faces.finding.matching`). :mod:`~detector.faces.finding.turned` asks which way up a
picture is.
"""
