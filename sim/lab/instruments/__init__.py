"""The instruments of the laboratory, each by its published protocol, without sockets."""
