"""Danbooru's metadata, one post a line, on its way to a zero-shot split.

`posts` judges a post, `blocks` many lines of them, `streams` opens files, `processes` spreads the
blocks over several, `metadata` reads all of it once, `single_faces` knows where the one face of a
picture lies, `selection` joins the two, `split` draws the test characters.
"""

from pairsets.sources.danbooru.posts import Rule
from pairsets.sources.danbooru.selection import Selection
from pairsets.sources.danbooru.single_faces import Boxed
from pairsets.sources.danbooru.split import draw_test

__all__ = ["Boxed", "Rule", "Selection", "draw_test"]
