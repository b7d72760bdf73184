"""Schedules: where plans come from: a TOML file, an ini file as older tests wrote it, or a Python function."""
