"""One module that sends trains: model, blocks, faults, link."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from sim.kernel.faults import FaultBoard
from sim.xtdf.codec import Block, good_fields
from sim.xtdf.config import XtdfTable
from sim.xtdf.faults import Sending, Struck, spoil_fields, spoil_sending, strike
from sim.xtdf.illumination import Illumination
from sim.xtdf.image_faults import spoil_images
from sim.xtdf.module import GainMode, ModuleModel
from sim.xtdf.packets import datagrams, plan

MAX_HELD: Final = 32
"""Trains that a late module holds back at most; `trains` of module_late is cut to this."""


class Link(Protocol):
    """Where datagrams go."""

    datagrams_sent: int
    bytes_sent: int

    def send(self, datagrams: Iterable[Sequence[bytes | memoryview]], /) -> int:
        """Send datagrams, each given in parts. Returns how many found nobody at the address."""
        ...

    def close(self) -> None:
        """End. May be called twice."""
        ...


class ModuleSender:
    """Sends one module's trains. Knows neither time nor sockets; blocks as long as its link does.

    With `prebuilt_trains` in the table the images of that many trains are made beforehand and sent again in turn: train
    n has the images of train n modulo that number. Everything else of a train is its own.
    """

    def __init__(
        self, model: ModuleModel, table: XtdfTable, seed: int, link: Link | None, board: FaultBoard
    ) -> None:
        self.model, self.link = model, link
        self._table, self._seed, self._board = table, seed, board
        count = max(1, table.prebuilt_trains)
        self._blocks = [Block(model.wire, table.frames, table.checksum) for _ in range(count)]
        self._built: tuple[GainMode, Illumination, float] | None = None
        self._whole = Sending(self._blocks[0].layout.total, plan(self._blocks[0].layout.total))
        self._held: deque[tuple[int, list[tuple[bytes]]]] = deque()
        self.refused = 0
        """Datagrams that found nobody at the receiver's address."""

    @property
    def block_bytes(self) -> int:
        """Bytes of one train's block."""
        return self._whole.block_bytes

    def prepare(self, gain_mode: GainMode, illumination: Illumination) -> None:
        """Make the images that are made beforehand, unless they are there already."""
        wanted = gain_mode, illumination, self.model.transmission
        if self._table.prebuilt_trains and self._built != wanted:
            for number, block in enumerate(self._blocks):
                self.model.make_images(block.images, number, gain_mode, illumination)
            self._built = wanted

    def send_train(self, train_id: int, gain_mode: GainMode, illumination: Illumination) -> None:
        """Make and send one train; then what was held back until this train."""
        struck = strike(self._board, self.model.channel)
        late = min(max(1, struck["module_late"]["trains"]), MAX_HELD) if "module_late" in struck else 0
        if self.link is not None and "module_missing" not in struck:
            block = self._filled(train_id, gain_mode, illumination, struck)
            sending = spoil_sending(self._whole, struck, self._seed, self.model.serial, train_id)
            leaving = datagrams(block.view[: sending.block_bytes], train_id, sending.packets)
            if late:
                self._held.append((train_id + late, [(bytes(payload) + end,) for payload, end in leaving]))
            else:
                self.refused += self.link.send(leaving)
        self._release(train_id)

    def end(self, gain_mode: GainMode, illumination: Illumination, last_train_id: int) -> None:
        """The acquisition has ended: send all that is held back, and what a fault wants beyond."""
        self._release(None)
        unasked = self._board.active().get("unasked_train")
        if unasked is not None and unasked["module"] in (-1, self.model.channel):
            self._board.strike("unasked_train")
            self.send_train(last_train_id, gain_mode, illumination)
            self._release(None)

    def _filled(
        self, train_id: int, gain_mode: GainMode, illumination: Illumination, struck: Struck
    ) -> Block:
        block = self._blocks[train_id % len(self._blocks)]
        if self._table.prebuilt_trains:
            self.prepare(gain_mode, illumination)
        else:
            self.model.make_images(block.images, train_id, gain_mode, illumination)
        if spoil_images(
            block.images, self.model.wire.detector, struck, self._seed, self.model.serial, train_id
        ):
            self._built = None  # what was made beforehand is made anew
        fields = good_fields(
            self.model.wire,
            train_id=train_id,
            link=self.model.channel,
            pulse_id=self._table.pulse_ids,
            version=self._table.version,
        )
        section = self.model.detector_section(train_id, illumination)
        fields = replace(fields, cell_id=self._table.cell_ids, detector=section)
        block.finish(spoil_fields(fields, struck))
        if "wrong_checksum" in struck:
            block.set_checksum(block.crc32() ^ 0xFFFFFFFF)
        return block

    def _release(self, train_id: int | None) -> None:
        while self._held and (train_id is None or self._held[0][0] <= train_id):
            _, held = self._held.popleft()
            if self.link is not None:
                self.refused += self.link.send(held)
