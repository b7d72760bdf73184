"""Self-tests of mainboards: the set `DEgg-FAT`, thirty-one of them."""
