"""Measure models: metrics, reports and the leaderboard."""
