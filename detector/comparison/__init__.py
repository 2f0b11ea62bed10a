"""An exhibit against a reference: which part of it is shown, how it was cut and scaled, and what differs.

The stages: strips (small pictures of both files), views (how the picture of one lies in the other),
alignment (where and when the exhibit lies in the reference), differences of faces and of other regions,
pictures. No network judges anything here. What makes words or pages of the result lies above.

In names of variables *seen* is of the exhibit and *known* of the reference.
"""
