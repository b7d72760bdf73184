"""The application: benches, acceptance tests, limits, records and reports."""
