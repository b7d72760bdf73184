"""XTDF detectors: AGIPD modules that send their trains as UDP datagrams."""
