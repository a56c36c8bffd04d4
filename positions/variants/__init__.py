"""Answers that are booked for the question: by another cost method, or as known at a moment."""
