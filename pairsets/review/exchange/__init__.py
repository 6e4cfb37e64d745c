"""Verdicts that leave a review or come from elsewhere."""
