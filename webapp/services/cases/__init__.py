"""What people do with a case, from its making to its end; what is refused for its sake is in `case_rules`."""
