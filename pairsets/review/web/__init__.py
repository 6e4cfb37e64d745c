"""The page of a review, and the server that it talks to."""
