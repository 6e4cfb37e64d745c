"""Helpers that tests share: oracles, planted worlds, servers, crashes."""
