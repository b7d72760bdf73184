"""Data acquisition: receive datagrams, assemble trains, record runs."""
