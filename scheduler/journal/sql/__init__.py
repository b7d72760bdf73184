"""Rows of journals in databases. Only this package imports SQLAlchemy, and only who opens a journal imports it."""
