"""The master run: the schedule of an acceptance test on the engine, with the book-keeping of its run file."""
