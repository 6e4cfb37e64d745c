"""Vectors from elsewhere: files that hold rows of numbers, and names of the rows."""
