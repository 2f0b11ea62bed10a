"""The search for the faces of frames.

- :mod:`~detector.faces.search.search`, where to begin: when whole frames are searched, when only places in
  them, and that frames are held back until faces were followed through them.
- :mod:`~detector.faces.search.networks`: CenterFace, run by :mod:`~detector.faces.search.networks`.
- :mod:`~detector.faces.search.photos`: the small faces of a large photograph.
- :mod:`~detector.faces.search.photos`: which way up a picture is whose faces do not stand upright.
- :mod:`~detector.faces.search.places`: the face near a place, of a known face or of one that
  :mod:`~detector.faces.search.places` has a small network propose
  (:mod:`~detector.faces.search.networks`).
- :mod:`~detector.faces.search.matching`: a face in the frames between two looks, where its pictures
  match best (:mod:`~detector.faces.search.matching`).
- :mod:`~detector.faces.search.networks`: at what size frames are searched, whichever network does it.
"""
