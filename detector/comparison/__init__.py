"""Compare an exhibit with a reference: find the part it shows, its crop and scale, and the differences.

In variable names, *seen* belongs to the exhibit and *known* to the reference.
"""
