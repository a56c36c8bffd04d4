"""Whether what is stored ties, and what is doubtful in it."""
