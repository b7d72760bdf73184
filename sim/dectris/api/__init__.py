"""The REST interface of a control unit."""
