"""Other people's text: unpacked, decoded, cut into lines or JSON."""
