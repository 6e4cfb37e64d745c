"""Training of a reference model: a folder of faces in, a model folder out."""
