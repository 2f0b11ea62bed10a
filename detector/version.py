"""The version of Reelproof."""

__version__ = "0.1.0"
