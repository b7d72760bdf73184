"""Monitoring by its names in schedules: `online_mon`, `constant_monitor`, `slowmon` (fat.md sections 7 and 8)."""

from fat.degg.tasks.monitoring_constant import constant_monitor
from fat.degg.tasks.monitoring_quick import online_mon
from fat.degg.tasks.monitoring_scan import slowmon

__all__ = ["constant_monitor", "online_mon", "slowmon"]
