"""What a report is made of beside the analysis: case details, pictures, the check of the exhibit."""
