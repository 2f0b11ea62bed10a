"""What results state: codes with typed parameters by subject, and their English messages."""
