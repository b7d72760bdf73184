"""The catalogue's back office: web pages to look at constants, and to take bad ones out of use."""
