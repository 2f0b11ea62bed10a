"""What is known of an exhibit beside its pictures: how it is packed, written, tagged and signed.

:mod:`~detector.metadata.exhibit` fills in the facts of an analysis, which :mod:`~detector.metadata.collect`
gathers from the reader and from the formats, one module each (``isobmff``, ``photo``, ``png_text``, ``xmp``,
``c2pa`` …). :mod:`~detector.metadata.declarations` is what the file says of its making; ``anomalies`` are
points in the facts that deserve a look.
"""
