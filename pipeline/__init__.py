"""The real thing: receive, assemble, record, correct and serve detector data, and talk to control units."""
