"""The pictures of a series, made at its arm: in a thread while time passes, at once on a clock that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sim.dectris.configuration import DetectorConfiguration
from sim.dectris.configuration.arrays import TABLE
from sim.dectris.images.frames import ImageSource, Layout, Ring, Uploaded
from sim.dectris.refusal import Refused
from sim.dectris.unit.surroundings import Pictures, Rendered
from sim.errors import SimError


class Renderer:
    """Makes pictures for the present configuration; a `Render` of the unit."""

    def __init__(
        self,
        config: DetectorConfiguration,
        source: ImageSource,
        *,
        in_thread: bool,
        later: Callable[[Callable[[], None]], None],
    ) -> None:
        """*later* does something inside the unit's next advance, from any thread."""
        self._config, self._source = config, source
        self._in_thread, self._later = in_thread, later

    def __call__(self, made: Rendered) -> None:
        """Hand over the pictures. Raises Refused when the configuration has none."""
        config = self._config
        layout = config.layout()
        uploaded = config.arrays.uploaded(layout)
        masks, flatfields = config.pixel_masks(layout), config.flatfields(layout)

        def finished(ring: Ring | Refused) -> None:
            if isinstance(ring, Refused):
                made(ring)
            else:
                made(Pictures(ring, masks, flatfields, config.read_array(TABLE)))

        if not self._in_thread:
            finished(self._ring(layout, uploaded))
            return

        def work() -> None:
            ring = self._ring(layout, uploaded)
            self._later(lambda: finished(ring))

        threading.Thread(target=work, name="rendering", daemon=True).start()

    def _ring(self, layout: Layout, uploaded: Uploaded | None) -> Ring | Refused:
        try:
            return self._source.ring(layout, uploaded)
        except SimError as error:
            return Refused(400, str(error))
        except MemoryError:
            return Refused(400, "there is not enough memory for images of this size")
