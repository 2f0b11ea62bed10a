"""What is known of an exhibit beside its pictures: how it is packed, written, tagged and signed.

:mod:`~detector.metadata.exhibit` fills in the facts of an analysis, which :mod:`~detector.metadata.exhibit`
gathers from the reader and from the :mod:`~detector.metadata.formats`. What the file says of its making is
:mod:`~detector.metadata.declared`; :mod:`~detector.metadata.anomalies` are points in the facts that deserve a
look.
"""
