"""From numbers to verdicts: quantities, the goalposts that were valid, result records."""

from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity

__all__ = ["Graph", "Quantity", "conclude"]
