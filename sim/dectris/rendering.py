"""The pictures of a series, made at its arm: in a thread while time passes, at once on a clock that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sim.dectris.configuration import DetectorConfiguration
from sim.dectris.configuration.arrays import TABLE
from sim.dectris.images.frames import ImageSource, Layout, Uploaded
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
        layout = self._config.layout()
        uploaded = self._config.arrays.uploaded(layout)
        if not self._in_thread:
            made(self._pictures(layout, uploaded))
            return

        def work() -> None:
            # The configuration stays as it is meanwhile: in state configure nothing can be written.
            try:
                pictures = self._pictures(layout, uploaded)
            except Exception as error:  # noqa: BLE001  # raised where the process sees it, not in this thread
                broken = error
                self._later(lambda: _fail(broken))
            else:
                self._later(lambda: made(pictures))

        threading.Thread(target=work, name="rendering", daemon=True).start()

    def _pictures(self, layout: Layout, uploaded: Uploaded | None) -> Pictures | Refused:
        config = self._config
        try:
            return Pictures(
                self._source.ring(layout, uploaded),
                config.pixel_masks(layout),
                config.flatfields(layout),
                config.read_array(TABLE),
            )
        except SimError as error:
            return Refused(400, str(error))
        except MemoryError:
            return Refused(400, "there is not enough memory for images of this size")


def _fail(error: Exception) -> None:
    raise error
