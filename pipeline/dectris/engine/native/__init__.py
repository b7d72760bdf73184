"""Functions of ZeroMQ and of the system, as compiled code calls them."""
