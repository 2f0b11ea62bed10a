"""What the second look and the scan learn from: patches of the research data, and how examples are drawn.

:mod:`.prepare` cuts a patch around each face, once; :mod:`.patches` keeps them with what is known of each,
and refuses those that are not for training. :mod:`.kinds` says what outputs are to answer to each,
:mod:`.sampling` which are drawn, :mod:`.crops` how they are framed and degraded. :mod:`.source_probe`
measures whether a label shows without the face.

Beside them, examples that are made: :mod:`.blends` for the scan; for linear heads :mod:`.pairs` of a face
with and without what was made of it, :mod:`.blend_pairs` and :mod:`.motion_pairs`.

Training belongs in the package above, fits in ``fitting``, figures in ``measuring``.
"""
