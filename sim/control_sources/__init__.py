"""Control sources: slow and small data beside a detector's, served over a karabo bridge."""
