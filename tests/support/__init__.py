"""What tests share: oracles, planted worlds, servers, crashes."""
