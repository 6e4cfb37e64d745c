"""Overlap of two collections of pictures: names and pictures that are in both."""
