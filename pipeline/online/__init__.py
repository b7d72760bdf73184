"""The online pipeline: splitter, correction, matcher, appender, bridge, and how they are put together."""
