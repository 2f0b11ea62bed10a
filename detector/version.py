"""The version of Reelproof."""

__version__ = "0.2.0"
