"""Miners: embeddings in, mined pairs out."""
