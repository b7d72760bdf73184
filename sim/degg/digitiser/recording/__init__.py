"""The bytes of a record, made while it is digitised."""
