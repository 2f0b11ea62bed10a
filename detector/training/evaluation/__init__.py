"""Measuring models: figures, pages, the leaderboard."""
