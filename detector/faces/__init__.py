"""From frames to faces, tracks and persons, and to the crops that networks judge."""
