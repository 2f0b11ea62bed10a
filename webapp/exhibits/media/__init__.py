"""Playback copies and thumbnails of exhibits."""
