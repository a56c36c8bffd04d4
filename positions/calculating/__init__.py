"""What the calculation of positions is made of: which work, how it is booked, and how rows are written."""
