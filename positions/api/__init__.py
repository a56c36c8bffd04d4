"""The positions' edges over REST."""
