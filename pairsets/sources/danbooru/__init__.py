"""Danbooru's metadata, one post a line, on its way to a zero-shot split.

`posts` judges a post, `blocks` many lines of them, `streams` opens files, `processes` spreads the
blocks over several, `metadata` reads all of it once, `single_faces` knows where the one face of a
picture lies, `selection` joins the two, `split` draws the test characters.
"""
