"""Memory, threads, signals and standard streams of Reelproof's processes."""
