"""Heatmaps of peak frames, and their check by hiding what they highlight."""
