"""What a figure is made of, and what a version of a transaction has changed."""
