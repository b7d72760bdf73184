"""The fault matrix of the remotes: the client notices each fault in words, and another remote gives the answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from pipeline.errors import (
    AlreadyInjected,
    CatalogueUnreachable,
    ConstantUnreadable,
    RemoteFailed,
    RemotesExhausted,
)
from sim.caldb.remotes.faults import FAULTS

NOTICED = {
    "refuse_as_busy": ("Resource temporarily unavailable", {}),
    "answer_slowly": ("did not answer within 0.3 s", {"seconds": 60.0}),
    "hang_remote": ("did not answer within 0.3 s", {}),
    "exhaust_memory": ("Cannot allocate memory", {}),
    "corrupt_answer": ("arrived damaged", {}),
}
"""Faults that another remote makes good, with the words that the client leaves."""
ELSEWHERE = {"take_version", "truncate_file", "kill_remote"}
"""Faults that tests of their own are about."""


def test_no_fault_is_forgotten() -> None:
    assert {spec.name for spec in FAULTS} == NOTICED.keys() | ELSEWHERE


@pytest.mark.parametrize("fault", NOTICED)
async def test_a_fault_is_noticed_and_another_remote_answers(remotes: Any, fault: str) -> None:
    await remotes.inject()
    words, parameters = NOTICED[fault]
    remotes.faults.switch_on(fault, remote=1, **parameters)
    client = remotes.client(answer_timeout_s=0.3)
    np.testing.assert_array_equal(await remotes.fetch(client), remotes.offset())
    assert [failure.reason for failure in client.remotes.failures]
    assert words in str(client.remotes.failures[0])
    assert remotes.faults.struck()[fault] >= 1
    remotes.faults.switch_off(fault)


@pytest.mark.parametrize("fault", ["refuse_as_busy", "hang_remote", "exhaust_memory"])
async def test_when_all_remotes_fail_the_sentence_is_the_known_one(remotes: Any, fault: str) -> None:
    await remotes.inject()
    remotes.faults.switch_on(fault)
    client = remotes.client(answer_timeout_s=0.2, deadline_s=1.0)
    with pytest.raises(RemotesExhausted, match=r"Could not find constants? Offset: ") as caught:
        await remotes.fetch(client)
    assert isinstance(caught.value, CatalogueUnreachable)
    assert caught.value.attempts >= 2
    if fault == "refuse_as_busy":
        assert "Could not find constants Offset: Resource temporarily unavailable" in str(caught.value)
        assert remotes.server.remotes[0].status()["refused"]["busy"] >= 1


async def test_data_that_are_wrong_everywhere_are_given_up(remotes: Any) -> None:
    await remotes.inject()
    remotes.faults.switch_on("corrupt_answer")
    with pytest.raises(
        RemoteFailed, match=r"CAL_REMOTE_\d .*Offset of AGIPD_SIM_M100 from .*cal\..*\.h5 arrived damaged"
    ):
        await remotes.fetch(remotes.client())


async def test_a_remote_without_memory_is_silent_until_it_is_killed(remotes: Any) -> None:
    await remotes.inject()
    remotes.faults.switch_on("exhaust_memory", remote=1, times=1)
    await remotes.fetch(remotes.client(answer_timeout_s=0.2))
    assert remotes.server.remotes[0].state == "unresponsive"
    assert any(
        "Cannot allocate memory; unresponsive" in problem.text for problem in remotes.server.problems()
    )
    impatient = remotes.client(answer_timeout_s=0.2)
    await remotes.fetch(impatient)
    assert impatient.remotes.failures[0].reason == "did not answer within 0.2 s"
    remotes.faults.switch_on("kill_remote", remote=1, seconds=0.05)
    await remotes.until_up(1, 0.05)
    assert remotes.server.remotes[0].state == "waiting on data"


async def test_a_version_can_be_taken_without_being_there(remotes: Any) -> None:
    remotes.faults.switch_on("take_version", times=1)
    with pytest.raises(AlreadyInjected, match="has already been taken"):
        await remotes.inject()
    await remotes.inject()


@pytest.mark.parametrize("carried_bytes", [0, 64 << 20], ids=["meta_only", "with data"])
async def test_a_file_cut_in_half_is_refused_with_its_name(remotes: Any, carried_bytes: int) -> None:
    remotes.faults.switch_on("truncate_file", times=1)
    version = await remotes.inject()
    with pytest.raises(ConstantUnreadable, match=version.file.name):
        await remotes.fetch(remotes.client(carried_bytes=carried_bytes))


async def test_a_killed_remote_is_gone_and_another_answers(remotes: Any) -> None:
    await remotes.inject()
    remotes.faults.switch_on("kill_remote", remote=1, seconds=60.0)
    assert not remotes.faults.is_on("kill_remote"), "a kill is a moment"
    assert [remote.state for remote in remotes.server.remotes] == ["down", "waiting on data"]
    client = remotes.client()
    np.testing.assert_array_equal(await remotes.fetch(client), remotes.offset())
    reasons = {failure.reason for failure in client.remotes.failures}
    assert reasons
    assert reasons <= {"nobody listens there", "closed the connection"}
    assert any("comes back in 60 s" in problem.text for problem in remotes.server.problems())


async def test_a_killed_remote_comes_back_by_itself_at_its_address(remotes: Any) -> None:
    await remotes.inject()
    first = remotes.server.remotes[0]
    remotes.faults.switch_on("kill_remote", remote=1, seconds=0.2)
    assert first.state == "down"
    await remotes.until_up(1, 0.2)
    only_the_first = remotes.client(addresses=remotes.addresses[:1])
    np.testing.assert_array_equal(await remotes.fetch(only_the_first), remotes.offset())
    assert first.address == remotes.addresses[0]
    assert first.status()["kills"] == 1


async def test_a_request_that_dies_with_its_remote_is_asked_again_at_once(remotes: Any) -> None:
    await remotes.inject()
    remotes.faults.switch_on("answer_slowly", remote=1, seconds=60.0)
    client = remotes.client()
    came = remotes.when(1, "came")
    asked = asyncio.create_task(remotes.fetch(client))
    await came.wait()
    remotes.faults.switch_on("kill_remote", remote=1, seconds=60.0)
    # Far below the client's time-out of 20 s, which is what ZeroMQ alone would have waited.
    np.testing.assert_array_equal(await asyncio.wait_for(asked, 60), remotes.offset())
    reasons = [failure.reason for failure in client.remotes.failures]
    assert reasons[0] == "closed the connection"


async def test_all_can_be_killed_and_all_come_back(open_remotes: Any) -> None:
    async with open_remotes(5) as bench:
        await bench.inject()
        bench.faults.switch_on("kill_remote", seconds=0.2)
        assert {remote.state for remote in bench.server.remotes} == {"down"}
        for number in range(1, 6):
            await bench.until_up(number, 0.2)
        np.testing.assert_array_equal(await bench.fetch(bench.client()), bench.offset())


async def test_a_kill_while_another_is_under_way_and_a_stop_in_the_middle(open_remotes: Any) -> None:
    async with open_remotes(1) as bench:
        bench.faults.switch_on("kill_remote", seconds=60.0)
        bench.faults.switch_on("kill_remote", seconds=60.0)
        assert bench.server.remotes[0].status()["kills"] == 1


async def test_a_hasty_client_becomes_patient_and_what_it_left_behind_is_seen(open_remotes: Any) -> None:
    async with open_remotes(1) as bench:
        await bench.inject()
        bench.faults.switch_on("answer_slowly", seconds=0.4)
        client = bench.client(answer_timeout_s=0.1, deadline_s=60.0)
        np.testing.assert_array_equal(await bench.fetch(client), bench.offset())
        reasons = [failure.reason for failure in client.remotes.failures]
        assert reasons[:2] == ["did not answer within 0.1 s", "did not answer within 0.2 s"]
        status = bench.server.remotes[0].status()
        assert status["highest_waiting"] >= 2, "requests that nobody waits for any more"
        assert status["slowest_answer_s"] > 0.4


async def test_a_failure_of_our_own_is_answered_and_the_remote_goes_on(
    remotes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remotes.inject()

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr("sim.caldb.remotes.catalogue.search", broken)
        with pytest.raises(
            RemotesExhausted, match=r"the remote failed on this request \(ZeroDivisionError\)"
        ):
            await remotes.fetch(remotes.client(deadline_s=0.3))
    await remotes.fetch(remotes.client())
    assert any("a bug" in problem.text for problem in remotes.server.problems())


async def test_a_lost_answer_to_an_injection_is_no_second_version(remotes: Any) -> None:
    remotes.faults.switch_on("answer_slowly", remote=1, seconds=0.4, times=1)
    client = remotes.client(answer_timeout_s=0.1)
    took = remotes.when(1, "took")
    origin = remotes.origin(remotes.begin + timedelta(hours=1))
    inject_it = (0, "Offset", remotes.offset(), remotes.conditions, origin)
    version = await asyncio.to_thread(client.inject, *inject_it)
    # The first remote is still at it, finds the version in its place, and answers somebody who has gone.
    await took.wait()
    assert await asyncio.to_thread(client.inject, *inject_it) == version
    assert len(list(remotes.store.rglob("cal.*"))) == 1
