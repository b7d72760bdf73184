"""What a run leaves for people and other programs: run and device JSON, folders of data."""

from fat.degg.records.device_file import DeviceFile, PmtEntry
from fat.degg.records.folders import data_folder
from fat.degg.records.run_file import RunFile

__all__ = ["DeviceFile", "PmtEntry", "RunFile", "data_folder"]
