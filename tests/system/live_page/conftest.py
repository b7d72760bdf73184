"""A run that is held by a stand-in for its engine, and the page's server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from scheduler import Plan, Task, create_run
from scheduler.journal import Journal
from scheduler.web import make_app

TOKEN = "a-token-of-tests"


class StandIn:
    """Stands in for a running engine: it holds the journal and writes what a test tells it."""

    def __init__(self, root: Path, tasks: int = 4, title: str = "Task number {}") -> None:
        planned = tuple(Task(f"task_{n}", title.format(n), f"room:kind_{n % 5}") for n in range(tasks))
        self.run_dir = create_run(root, Plan("pages", planned, parameters={"operator": "A. Shifter"}))
        self.journal = Journal(self.run_dir)
        self.alive = True
        self.sim_ns = 0
        self.tell("run_started", attempt=1, host="here", pid=1, version="0", resumed=False)

    def tell(self, event: str, **data: Any) -> None:
        self.journal.append(event, data, self.sim_ns)

    def begin(self, name: str) -> None:
        self.tell("task_started", task=name, attempt=1)

    def end(self, name: str, verdict: str = "PASS", **outputs: Any) -> None:
        self.sim_ns += 1_500_000_000
        self.tell("task_finished", task=name, attempt=1, verdict=verdict, outputs=outputs, wall_s=1.5)

    def finish_task(self, name: str, verdict: str = "PASS", **outputs: Any) -> None:
        self.begin(name)
        self.end(name, verdict, **outputs)

    def asked(self) -> list[Path]:
        """What people asked of the engine."""
        return sorted((self.run_dir / "requests").glob("*.json"))

    def die(self) -> None:
        if self.alive:
            self.alive = False
            self.journal.__exit__(None, None, None)


class Quiet(uvicorn.Server):
    """Uvicorn in a thread, that says when it listens."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        self.listening = threading.Event()
        self.address = ""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.listening.set()


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The page of the runs below a folder."""
    server = Quiet(make_app(root, TOKEN))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        assert server.listening.wait(60)
        yield server.address
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def stand_in() -> type[StandIn]:
    return StandIn


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StandIn]:
    engine = StandIn(tmp_path / "fat")
    yield engine
    engine.die()


@pytest.fixture
def page(engine: StandIn) -> Iterator[str]:
    with served(engine.run_dir.parent) as address:
        yield address


@pytest.fixture(scope="session")
def serve() -> Callable[[Path], Any]:
    return served


@pytest.fixture
def person(page: str) -> Iterator[httpx.Client]:
    """Somebody who has logged in."""
    with httpx.Client(base_url=page) as person:
        assert person.post("/login", data={"token": TOKEN, "name": "Ada"}).status_code == 303
        yield person
