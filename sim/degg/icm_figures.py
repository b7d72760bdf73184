"""Figures of the wire pairs that may be set in the bench file."""

from __future__ import annotations

from sim.kernel.figures import Figures, figure


class IcmFigures(Figures):
    """Of the ICMs and of the program that answers for them."""

    version: str = figure("domnet 1.0 simulated", "What `version` answers.")
    firmware: int = figure(
        0x1535, "Firmware of every ICM (FW_VERS).", ge=0, le=0xFFFF, origin="general knowledge"
    )
    wp_volts: float = figure(96.0, "Voltage of a wire pair without load.", unit="V", ge=0)
    wp_ohms: float = figure(12.0, "Resistance of a wire pair.", unit="ohm", ge=0)
    hub_a: float = figure(0.010, "Current of a wire pair that nothing hangs on.", unit="A", ge=0)
    icm_a: float = figure(0.012, "Current of one ICM.", unit="A", ge=0)
    mainboard_a: float = figure(0.038, "Current of one mainboard.", unit="A", ge=0)
    reading_noise: float = figure(0.002, "Noise of voltage and current readings, relative.", ge=0)
    time_out_s: float = figure(0.5, "How long an ICM that is silent is waited for.", unit="s", ge=0, le=10)
    time_outs_to_drop: int = figure(3, "After so many in a row an ICM counts as not connected.", ge=1)
    probe_s: float = figure(0.5, "How long a probe takes.", unit="s", ge=0, le=10)
    reconfigure_s: float = figure(2.0, "How long an ICM's FPGA takes to reconfigure.", unit="s", ge=0)
    hub_reconfigure_s: float = figure(8.0, "How long the field hub's ICM takes.", unit="s", ge=0)
    errors_for_each_read: int = figure(7, "What `miscount_errors` adds to CERR at each reading.", ge=1)
    no_lock: int = figure(0x0000, "What `get_gps_status` says without a lock.", ge=0, le=0xFFFF)
    bad_request: str = figure("?BADREQ", "Answer to what is no JSON object of texts with a command.")
    bad_command: str = figure("?BADCMD", "Answer to an unknown command.")
    bad_device: str = figure("?BADDEV", "Answer to a device that is no address from 0 to 8.")
    bad_register: str = figure("?BADREG", "Answer to an unknown register.")
    bad_value: str = figure("?BADVAL", "Answer to a value that is missing, no number, or too large.")
    local_only: str = figure("?LOCALONLY", "Answer to a command that only the field hub's ICM knows.")
    remote_only: str = figure("?REMOTEONLY", "Answer to a command that only a module's ICM knows.")


class RapcalFigures(Figures):
    """Of the time calibration."""

    cable_min_ns: float = figure(45.0, "Shortest delay of a cable, drawn for each module.", unit="ns", ge=0)
    cable_max_ns: float = figure(95.0, "Longest delay of a cable.", unit="ns", ge=0)
    turnaround_us: float = figure(
        60.0, "From a module's reception of the pulse to its own pulse.", unit="us", ge=2
    )
    baseline_counts: float = figure(2000.0, "Baseline of a receiver's samples.", unit="counts", ge=1500)
    amplitude_counts: float = figure(1000.0, "Amplitude of a received pulse.", unit="counts", ge=100, le=1400)
    noise_counts: float = figure(1.5, "Noise of a receiver's samples, rms.", unit="counts", ge=0)


class WirePairFigures(Figures):
    """All of them."""

    icm: IcmFigures = IcmFigures()
    rapcal: RapcalFigures = RapcalFigures()
