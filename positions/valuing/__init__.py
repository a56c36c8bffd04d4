"""Daily values: which days are owed, what they are made of, and how they are read."""
