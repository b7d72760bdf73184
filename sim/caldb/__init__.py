"""The calibration catalogue: a REST server over SQLite, and a folder of constants beside it."""
