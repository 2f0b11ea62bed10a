"""Where and when an exhibit lies in its reference: place in the picture, time map, exact view.

:mod:`~detector.comparison.alignment.locate` finds the part that is shown. The time map
(:mod:`~detector.comparison.alignment.time_map`) is the most likely path
(:mod:`~detector.comparison.alignment.best_path`) through how similar pictures are
(:mod:`~detector.comparison.alignment.similarity`), without what only resembles the reference
(:mod:`~detector.comparison.alignment.strays`), as straight pieces
(:mod:`~detector.comparison.alignment.pieces`). :mod:`~detector.comparison.alignment.refine` makes the view
exact.
"""
