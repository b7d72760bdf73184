"""The pytest plugin from a user's side: short tests against each fixture, run by a pytest of their own.

The example that the README quotes is a test file itself: tests/readme_example.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fat.testing.leaks import leaked, snapshot

pytest_plugins = ["pytester"]


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    """Run a user's test file in a process of its own, as a user does."""
    pytester.makepyfile(test_mine=source)
    # No user's test needs schemathesis, which takes a second to load.
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:schemathesis", "-q", timeout=250)


def test_a_control_unit_arms_and_answers(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import socket

        import httpx
        import pytest

        def test_the_unit_is_idle_once_initialised(dcu):
            detector = f"{dcu.api}/detector/api/1.8.0"
            httpx.put(f"{detector}/command/initialize").raise_for_status()
            assert httpx.get(f"{detector}/status/state").json()["value"] == "idle"
            assert {dcu.stream[:16], dcu.stream2[:16], dcu.trigger[:16]} == {"tcp://127.0.0.1:"}

        @pytest.mark.dcu_table('''
        frames = { source = "synthetic", width = 64, height = 64 }
        triggers = { source = "external" }
        config = { trigger_mode = "exts", count_time = 0.001, frame_time = 0.001, nimages = 3 }
        ''')
        def test_a_pulse_makes_images_and_the_series_has_a_truth(dcu):
            detector = f"{dcu.api}/detector/api/1.8.0"
            series = httpx.put(f"{detector}/command/arm").json()["sequence id"]
            host, port = dcu.trigger.removeprefix("tcp://").split(":")
            with socket.create_connection((host, int(port)), 10) as line:
                line.sendall(b"PULSE\\n")
                assert line.recv(100) == b"OK 1\\n"
            truth = dcu.truth(series)
            assert truth.facts["images"] == 3
            assert truth.sums["threshold_1"].sum() == truth.image_sums["threshold_1"][:3].sum()
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_laboratory_answers_and_can_be_broken(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import os, socket

        import pytest

        def ask(lab, part, command):
            with socket.create_connection(lab.host_and_port(part), 10) as line, line.makefile("rb") as answers:
                line.sendall(command)
                line.settimeout(0.5)
                return answers.readline()

        def test_instruments_and_two_modules_are_there(lab, faults, manual_clock):
            assert list(lab.state()["modules"]) == ["5000", "5001"]
            assert 1250 <= lab.truth(5000)["channels"][0]["v0_volts"] <= 1550
            assert os.path.exists(lab["filter_wheel_0"])
            assert lab["degg.5001"].startswith("tcp://127.0.0.1:")
            assert ask(lab, "power_supply", b"*IDN?\\n").startswith(b"HEWLETT-PACKARD,E3631A")
            ask(lab, "chamber", b"SETP1,-40\\nRUNM\\nIDEN?\\n")
            assert manual_clock.advance(10 * 3600) == 36_000
            assert lab.state()["cold"]["air_c"] < -35
            faults.on("lab.power_supply", "stay_silent")
            with pytest.raises(TimeoutError):
                ask(lab, "power_supply", b"*IDN?\\n")
            assert faults.struck("lab.power_supply") == {"stay_silent": 1}

        @pytest.mark.lab_table('modules = { count = 0, tabletop = false }')
        def test_what_is_in_it_is_the_tests_to_say(lab):
            assert lab.state()["modules"] == {}
            with pytest.raises(KeyError):
                lab["degg.5000"]
        """,
    )
    result.assert_outcomes(passed=2)


def test_simulators_of_one_test_share_the_manual_clock_and_are_broken_on_demand(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
        import httpx

        def post(slack, text):
            return httpx.post(
                f"{slack.base_url}chat.postMessage",
                json={"channel": "#tests", "text": text},
                headers={"Authorization": "Bearer xoxb-any"},
            )

        def test_nothing_is_sent_before_its_time(agipd_module, slack, caldb, dcu, faults, manual_clock):
            found = httpx.get(f"{caldb.rest}/api/detectors", params={"identifier": "SPB_DET_AGIPD1M-1"})
            assert [detector["identifier"] for detector in found.json()] == ["SPB_DET_AGIPD1M-1"]
            assert caldb.store.is_dir()
            assert slack.messages() == []
            span = agipd_module.start(trains=2)
            assert agipd_module.control.state()["trains_sent"] == 0
            manual_clock.advance(0.1)
            assert agipd_module.control.state()["trains_sent"] == 1
            assert manual_clock.advance(0.2) == 0.3
            assert span.last - span.first == 1
            assert agipd_module.control.state()["trains_sent"] == 2
            assert len(agipd_module.datagrams(2 * 129)) == 258
            assert agipd_module.truth.exists()

            assert post(slack, "beam is back").json()["ok"]
            assert [message["text"] for message in slack.messages()] == ["beam is back"]
            faults.on("slack", "rate_limit", times=1, retry_after_s=2)
            held = post(slack, "again")
            assert (held.status_code, held.headers["Retry-After"]) == (429, "2")
            assert faults.struck("slack") == {"rate_limit": 1}
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_whole_bench_comes_up_from_a_users_file_and_a_failure_shows_what_went_over_the_wire(
    pytester: pytest.Pytester,
) -> None:
    pytester.makefile(
        ".toml",
        mine="""
        [bench]
        name = "mine"
        seed = 3
        data_dir = "unused"

        [sim.clock]
        mode = "wall"

        [sim.devices.slack]
        kind = "slack"
        """,
    )
    result = run(
        pytester,
        """
        import httpx
        import pytest

        @pytest.mark.bench_file("mine.toml")
        def test_mine(bench, faults):
            assert bench.endpoints["slack"].startswith("http://127.0.0.1:")
            httpx.post(bench.endpoints["slack"] + "chat.postMessage", json={"text": "a rare word: quokka"})
            faults.on("slack", "server_error")
            assert False
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*assert False"])
    result.stdout.re_match_lines([r"-+ transcripts: slack -+", ".*chat.postMessage.*"])
    assert "quokka" in result.stdout.str().split("transcripts: slack")[1]


def test_without_a_file_the_miniature_comes_up(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_every_part_is_there(bench):
            assert {"pipeline", "agipd.control", "dcu.api", "caldb.rest", "slack"} <= bench.endpoints.keys()
        """,
    )
    result.assert_outcomes(passed=1)


def test_what_a_test_leaves_behind_fails_it_and_a_careful_test_is_not_blamed(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        """
        import atexit, socket, subprocess, threading
        from multiprocessing import shared_memory

        forever, kept = threading.Event(), []

        @atexit.register
        def tidy():
            for thing in kept:
                for end in ("kill", "close", "wait", "unlink"):
                    getattr(thing, end, bool)()

        def test_thread(nothing_left_behind):
            threading.Thread(target=forever.wait, name="left-alone", daemon=True).start()

        def test_socket(nothing_left_behind):
            kept.append(socket.create_server(("127.0.0.1", 0)))

        def test_process(nothing_left_behind):
            kept.append(subprocess.Popen(["sleep", "60"]))

        def test_segment(nothing_left_behind):
            kept.append(shared_memory.SharedMemory(create=True, size=64, name="psm_left_alone"))

        def test_careful(nothing_left_behind):
            short = threading.Thread(target=threading.Event().wait, args=(0.2,))
            short.start()
            with socket.create_server(("127.0.0.1", 0)):
                pass
        """,
    )
    result.assert_outcomes(passed=5, errors=4)
    for test, named in (
        ("thread", "thread left-alone"),
        ("socket", "socket addr"),
        ("process", r"process \d+ \(sleep 60\)"),
        ("segment", "shared-memory segment psm_left_alone"),
    ):
        blamed = re.search(
            rf"_ ERROR at teardown of test_{test} _.*?(the test left behind: [^\n]*)",
            result.stdout.str(),
            re.S,
        )
        assert blamed is not None
        assert re.search(named, blamed[1]), blamed[1]


def test_a_bench_that_cannot_come_up_says_why(pytester: pytest.Pytester) -> None:
    pytester.makefile(".toml", broken='[bench]\nname = "broken"\nseed = "three"\ndata_dir = "d"\n')
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.bench_file("broken.toml")
        def test_mine(bench):
            pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*broken.toml*seed*"])


@contextlib.contextmanager
def detached_holder(segment: str) -> Iterator[None]:
    """A process that is nobody's child here and has a segment mapped."""
    program = f"""
import os, sys
from multiprocessing import shared_memory
if os.fork():
    os._exit(0)
kept = shared_memory.SharedMemory(create=True, size=64, name={segment!r})
print("mapped", flush=True)
sys.stdin.read()
kept.close()
kept.unlink()
print("gone", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "mapped\n"
        yield
        process.stdin.close()
        assert process.stdout.readline() == "gone\n"


def test_shared_memory_of_a_neighbour_is_not_blamed_on_a_test() -> None:
    # Tests run side by side: what a process outside a test's own tree has mapped is no leak of the test.
    before = snapshot()
    with detached_holder("psm_of_a_neighbour"):
        assert "psm_of_a_neighbour" in snapshot().segments - before.segments
        assert not [leak for leak in leaked(before) if "psm_of_a_neighbour" in leak]
    assert leaked(before) == []
