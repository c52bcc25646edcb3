"""The same tasks on a real Dask scheduler with two worker processes on loopback, one of them killed in mid-run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lfja_mri.batch.bounds import Bounds
from lfja_mri.batch.cluster import run_on_cluster
from lfja_mri.batch.workers import Failure
from lfja_mri.errors import InputError, Reason, UsageError

pytest.importorskip("distributed")
HERE = Path(__file__).resolve().parent


def slow_square(task: tuple[int, str]) -> int:
    number, folder = task
    Path(folder, f"{os.getppid()}.pid").touch()  # the Dask worker; its own child runs this
    time.sleep(0.5)
    if number == 3:
        raise InputError("nothing usable", reason=Reason.LOCALISER)
    return number * number


def hang_or_die(task: str) -> str:
    if task == "hang":
        time.sleep(60)
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def cluster(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = os.environ | {"PYTHONPATH": str(HERE), "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s"}
    dask = [sys.executable, "-W", "ignore", "-m", "distributed.cli"]
    common = {"env": environment, "cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    port = address.rsplit(":", 1)[1]
    scheduler = [
        *dask[:-1],
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--no-dashboard",
    ]
    worker = [
        *dask[:-1],
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
    ]
    processes = [subprocess.Popen(scheduler, **common)]
    processes += [subprocess.Popen(worker, **common) for _ in range(2)]
    yield address
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_costs_nothing(cluster, tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    tasks = [(number, str(marks)) for number in range(10)]
    outcomes = {}
    killed = False
    for index, outcome in run_on_cluster(slow_square, tasks, cluster, Bounds()):
        outcomes[index] = outcome
        if not killed and len(list(marks.iterdir())) == 2:
            os.kill(int(min(marks.iterdir()).stem), signal.SIGKILL)
            killed = True
    assert killed
    assert outcomes[3] == Failure(Reason.LOCALISER, "nothing usable")
    assert {index: value for index, value in outcomes.items() if index != 3} == {
        number: number * number for number in range(10) if number != 3
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_bounds_hold_on_a_cluster_too(cluster):
    tasks = ["a", "hang", "die", "b", "c"]
    outcomes = dict(run_on_cluster(hang_or_die, tasks, cluster, Bounds(timeout_s=8)))
    assert {index: one for index, one in outcomes.items() if index not in {1, 2}} == {0: "a", 3: "b", 4: "c"}
    assert outcomes[1].reason is Reason.TIMED_OUT
    assert outcomes[2].reason is Reason.WORKER_LOST


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_an_address_where_nobody_answers_is_usage():
    with pytest.raises(UsageError, match="no Dask scheduler answers"):
        list(run_on_cluster(slow_square, [(1, "")], f"tcp://127.0.0.1:{free_port()}", Bounds()))
