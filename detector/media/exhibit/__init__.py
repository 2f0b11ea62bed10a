"""The exhibit before anything is decoded.

:mod:`~detector.media.exhibit.file` is the file itself, :mod:`~detector.media.exhibit.signatures` tells by its
first bytes what it is, :mod:`~detector.media.exhibit.limits` how much it may hold.
:mod:`~detector.media.exhibit.isobmff` reads the boxes of MP4, :mod:`~detector.media.exhibit.matroska` how
Matroska files are to be cropped, :mod:`~detector.media.exhibit.asf` the length that Windows Media files
state; :mod:`~detector.media.exhibit.text` makes what files say safe to show.
"""
