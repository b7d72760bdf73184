"""The logbook of shifters: forms, users, and a book to which entries are only ever added."""
