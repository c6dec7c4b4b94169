"""Work shared among copies of the process: the same results, in order, whatever happens to the copies."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
import torch

from dlopt.framework.forked import forked


def _nothing() -> None:
    pass


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
def test_results_do_not_depend_on_the_number_of_processes(processes: int) -> None:
    base = torch.linspace(0, 1, 5, dtype=torch.float64)
    found = forked(lambda k: base * k, 7, processes, _nothing)
    assert len(found) == 7
    assert all(torch.equal(one, base * k) for k, one in enumerate(found))


def test_what_an_ended_helper_did_not_send_is_done_here() -> None:
    me = os.getpid()

    def work(k: int) -> tuple[int, bool]:
        if k == 3 and os.getpid() != me:
            os.kill(os.getpid(), signal.SIGKILL)
        return k, os.getpid() == me

    found = forked(work, 6, 2, _nothing)
    assert [k for k, _ in found] == list(range(6))
    assert [here for _, here in found] == [False, False, False, True, False, True]


def test_an_error_in_a_helper_is_raised_here() -> None:
    def work(k: int) -> int:
        return 1 // (k - 2)

    with pytest.raises(ZeroDivisionError):
        forked(work, 4, 2, _nothing)


def test_stopping_ends_the_helpers() -> None:
    def work(_: int) -> int:
        signal.pause()
        return 0

    def stop() -> None:
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        forked(work, 2, 2, stop)
    assert set(multiprocessing.active_children()) <= before
