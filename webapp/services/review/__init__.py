"""What people say of analyses: annotations, who reviews a case, the second review. All is recorded."""
