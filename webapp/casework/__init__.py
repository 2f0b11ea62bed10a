"""Rules of cases and second reviews: who may see and change what, and who reviews."""
