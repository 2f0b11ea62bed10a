"""An exhibit against a reference: which part of it is shown, how it was cut and scaled, and what differs.

The stages, each in its own module: strips (small pictures of both files), views (how the picture of one
lies in the other), time maps, differences of faces and of other regions, pictures. No network judges
anything here. What makes words or pages of the result lies above.
"""
