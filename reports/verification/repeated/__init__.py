"""The work done once more and compared with what is recorded: an analysis, its pictures, comparisons.

Only here does a verification run the engine.
"""
