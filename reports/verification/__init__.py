"""Checking what was handed out: a bundle, the folder of a result, or a report as PDF, all offline.

``docs/evidence.md`` says what each check can show and what none can.
"""
