"""A module's way in: its socket, its receive slots, and what assembles frames from its datagrams."""

from __future__ import annotations

from pipeline.config import DaqTable
from pipeline.daq.assembler import FrameAssembler
from pipeline.daq.queues import Policy
from pipeline.daq.receiver import ModuleLink, bind
from pipeline.daq.slots import SlotPool
from pipeline.daq.xtdf import MAGIC_BEGIN, DetectorFormat, layout, read_header
from pipeline.model import U8


def open_link(
    table: DaqTable, form: DetectorFormat, module: int, position: int, memory_cells: int, host: str
) -> tuple[ModuleLink, SlotPool]:
    """Bind the socket of a module and make room for its trains. Raises AddressInUse.

    position  of the module among all: ports are counted up from the table's first one
    """
    block_bytes = layout(form, memory_cells).total
    port = table.first_port + position if table.first_port else 0
    sock = bind(host, port, table.receive_buffer_bytes)
    pool = SlotPool(table.slots_per_module, block_bytes)
    blocking = Policy.BLOCK.value in (table.record_policy, table.online_policy)
    wait_s = 2 * table.train_deadline_s if blocking else 0.0
    assembler = FrameAssembler(
        block_bytes,
        block_bytes,
        lambda: pool.take(wait_s),
        round(table.frame_timeout_s * 1e9),
        lambda block: _size_of(form, block),
    )
    return ModuleLink(module, sock, assembler), pool


def _size_of(form: DetectorFormat, block: U8) -> int | None:
    """Bytes of a train, as its header tells; None when it is none."""
    header = read_header(block)
    if header.magic != MAGIC_BEGIN or header.image_count > form.max_cells:
        return None
    sections = header.detector_bytes, header.train_builder_bytes
    return layout(form, header.image_count, *sections).total
