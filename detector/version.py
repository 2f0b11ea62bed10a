"""The version of Reelproof."""

__version__ = "0.3.0"
