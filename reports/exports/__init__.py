"""An analysis in the forms other programs read; ``docs/exports.md`` defines each.

:mod:`~reports.exports.formats` has the table of all, which command line, pages and API go through.
:mod:`~reports.exports.segments` and :mod:`~reports.exports.scores` write tables and cues, by
:mod:`~reports.exports.csv_writing` where they are CSV; :mod:`~reports.exports.edl_otio` puts segments on the
timeline of editing software, whose frames :mod:`~reports.exports.timecode` counts;
:mod:`~reports.exports.overlays` packs the kept pictures, and finds the heatmaps for the annotated video.

All of them hold the machine's findings and nothing a reviewer said. The annotated video, for which the
exhibit has to be decoded, is made by :mod:`detector.annotated_video`.
"""
