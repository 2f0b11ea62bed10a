"""What somebody may do, by role and scope; which analyses they see; what a second reviewer does not see."""
