"""A folder per identity, filled with what lies elsewhere in another form: crops, datasets."""
