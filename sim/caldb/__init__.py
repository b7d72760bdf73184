"""The calibration catalogue: a REST server over SQLite or PostgreSQL, and a folder of constants beside it."""
