"""What two collections of pictures have in common."""
