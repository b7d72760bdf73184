"""The same physics twice: `reference` to read, `fast` to run. A property test holds them equal, bit for bit."""
