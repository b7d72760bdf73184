"""The mainboard's console: a small Forth over a line, without sockets and without a clock of its own."""

from sim.degg.console.forth import Reply, Word, evaluate, table_of
from sim.degg.console.session import Console, Said, Session

__all__ = ["Console", "Reply", "Said", "Session", "Word", "evaluate", "table_of"]
