"""What is refused for the sake of a case: to who is not in it, and to anybody once it is closed."""
