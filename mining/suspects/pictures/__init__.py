"""Pictures compared by what they show."""
