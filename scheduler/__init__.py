"""A generic crash-proof task scheduler. It knows no detector word."""
