"""From frames to faces and tracks.

- ``search``: where the faces of each frame are.
- :mod:`~detector.faces.tracks`: which of them are one face followed through time;
  :mod:`~detector.faces.scene_changes`: where one goes over to another face without a cut;
  :mod:`~detector.faces.tracks`: which tracks are one person.
- :mod:`~detector.faces.tracks`: which tracks are one picture that does not move;
  :mod:`~detector.faces.tracks`: of which faces mouth or eyes are covered.
- :mod:`~detector.faces.crop`: the square that a network sees, in training as at run time;
  :mod:`~detector.faces.crop` has both squares of the second look.
- :mod:`~detector.faces.quality` and, of photographs, :mod:`~detector.faces.quality`: whether a face is
  judged; :mod:`~detector.faces.quality`: how much colour it has; :mod:`~detector.faces.quality`: why it is
  not judged, in words.
- :mod:`~detector.faces.detections`: all faces of a file as rows of numbers, from here to the findings.
- :mod:`~detector.faces.patch`, ``patch_file``, ``pasted``: the pixels around a face that are kept for the
  second look, in memory or in a file, and where a pasted photograph ends.

Networks that judge faces are in :mod:`detector.networks`, what they say of them in
:mod:`detector.scoring`.
"""
