"""What in an exhibit's facts deserves a person's look: rules, which docs/exhibit.md defines. No verdict.

:mod:`~detector.metadata.anomalies.rules` asks, in this order: :mod:`~detector.metadata.anomalies.programs`
that tags name, :mod:`~detector.metadata.anomalies.clocks` that contradict each other, and
:mod:`~detector.metadata.anomalies.transparency`; then of a photograph
:mod:`~detector.metadata.anomalies.photo`, of a video :mod:`~detector.metadata.anomalies.video`.
"""
