"""What is made of an acceptance test's data. Pure functions of arrays and counters: no files, no sockets, no clocks."""
