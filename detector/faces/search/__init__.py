"""The search for the faces of frames.

- :mod:`~detector.faces.search.search`, where to begin: when whole frames are searched, when only places in
  them, and that frames are held back until faces were followed through them.
- :mod:`~detector.faces.search.centerface`: CenterFace, run by :mod:`~detector.faces.search.search_net`.
- :mod:`~detector.faces.search.pyramid`: the small faces of a large photograph.
- :mod:`~detector.faces.search.turned`: which way up a picture is whose faces do not stand upright.
- :mod:`~detector.faces.search.place_search`: the face near a place, of a known face or of one that
  :mod:`~detector.faces.search.newcomers` has a small network propose
  (:mod:`~detector.faces.search.proposals`).
- :mod:`~detector.faces.search.interpolation`: a face in the frames between two looks, where its pictures
  match best (:mod:`~detector.faces.search.matching`).
- :mod:`~detector.faces.search.searched_size`: at what size frames are searched, whichever network does it.
"""
