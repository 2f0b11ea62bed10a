"""The models that analyses may use: listed, checked, added and removed."""
