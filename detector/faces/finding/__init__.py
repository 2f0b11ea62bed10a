"""Finding the faces of frames: CenterFace, what proposes where it looks, and following faces in between."""
