"""Finding the faces of frames.

- :mod:`~detector.faces.finding.search`, where to begin: when whole frames are searched, when only places in
  them, and that frames are held back until faces were followed through them.
- :mod:`~detector.faces.finding.centerface`: CenterFace, run by :mod:`~detector.faces.finding.search_net`.
- :mod:`~detector.faces.finding.pyramid`: the small faces of a large photograph.
- :mod:`~detector.faces.finding.turned`: which way up a picture is whose faces do not stand upright.
- :mod:`~detector.faces.finding.place_search`: the face near a place, of a known face or of one that
  :mod:`~detector.faces.finding.newcomers` has a small network propose
  (:mod:`~detector.faces.finding.proposals`).
- :mod:`~detector.faces.finding.interpolation`: a face in the frames between two looks, where its pictures
  match best (:mod:`~detector.faces.finding.matching`).
- :mod:`~detector.faces.finding.searched_size`: at what size frames are searched, whichever network does it.
"""
