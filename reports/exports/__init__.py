"""Exports of an analysis for other programs; ``docs/exports.md`` defines each."""
