"""A folder per character, filled with what lies elsewhere in another form: crops, datasets."""
