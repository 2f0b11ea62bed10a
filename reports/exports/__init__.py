"""An analysis in the forms other programs read; ``docs/exports.md`` defines each.

All of them hold the machine's findings and nothing a reviewer said. The annotated video, for
which the exhibit has to be decoded, is made by :mod:`detector.annotated_video`.
"""
