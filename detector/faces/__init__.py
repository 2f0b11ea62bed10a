"""From frames to faces and tracks.

- ``search``: where the faces of each frame are.
- :mod:`~detector.faces.tracks`: which of them are one face followed through time;
  :mod:`~detector.faces.dissolves`: where one goes over to another face without a cut;
  :mod:`~detector.faces.persons`: which tracks are one person.
- :mod:`~detector.faces.stillness`: which tracks are one picture that does not move;
  :mod:`~detector.faces.covered`: of which faces mouth or eyes are covered.
- :mod:`~detector.faces.crop`: the square that a network sees, in training as at run time;
  :mod:`~detector.faces.framing` has both squares of the second look.
- :mod:`~detector.faces.quality` and, of photographs, :mod:`~detector.faces.photo_range`: whether a face is
  judged; :mod:`~detector.faces.colour`: how much colour it has; :mod:`~detector.faces.flaws`: why it is
  not judged, in words.
- :mod:`~detector.faces.detections`: all faces of a file as rows of numbers, from here to the findings.
- :mod:`~detector.faces.patch`, ``patch_file``, ``pasted``: the pixels around a face that are kept for the
  second look, in memory or in a file, and where a pasted photograph ends.

Networks that judge faces are in :mod:`detector.networks`, what they say of them in
:mod:`detector.scoring`.
"""
