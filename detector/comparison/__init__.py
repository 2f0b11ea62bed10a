"""An exhibit against a reference: which part of it is shown, how it was cut and scaled, and what differs.

:mod:`~detector.comparison.compare` has the stages in order:

- :mod:`~detector.comparison.strips`: small grey pictures of both files, by which the rest is found.
- ``alignment``: which part of the reference is shown, when and where in the picture. How one picture lies in
  the other is a *view* (:mod:`~detector.comparison.affine_view`).
- :mod:`~detector.comparison.frame_pairs`: frames of both that show the same moment, at full size.
- :mod:`~detector.comparison.persons`: faces followed through these, each pair measured
  (:mod:`~detector.comparison.difference`, :mod:`~detector.comparison.explained_difference`);
  :mod:`~detector.comparison.differing_segments`: the segments in which they differ.
- :mod:`~detector.comparison.regions`: other parts of the picture that differ, after a change of tones
  (:mod:`~detector.comparison.tones`) is taken out.
- :mod:`~detector.comparison.result` and :mod:`~detector.comparison.statements`: the published value, and what
  it says in words; :mod:`~detector.comparison.pictures` of peak moments.

:mod:`~detector.comparison.sandboxed` runs all of it in a confined process. No network judges anything here.
What makes pages of the result lies above.

In names of variables *seen* is of the exhibit and *known* of the reference.
"""
