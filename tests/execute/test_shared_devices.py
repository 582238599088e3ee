"""Workers that share a device: one starts at once, others when a job has shown that there is memory for them."""

import executor_works as works
import pytest

from finetune_alf.execute import PoolExecutor
from finetune_alf.execute.devices import SharedDevices, room_for


@pytest.mark.parametrize(("free", "peak", "room"), [(30, 10, 2), (29, 10, 1), (10, 10, 0), (3, 10, 0), (7, 0, 6)])
def test_one_part_of_the_memory_stays_free(free: int, peak: int, room: int) -> None:
    assert room_for(free, peak) == room


def test_memory_that_does_not_count_lets_all_workers_start() -> None:
    devices = SharedDevices(None)
    assert all(devices.has_room(number, set(range(number))) for number in range(9))


def test_each_device_has_one_worker_until_a_job_has_shown_its_memory() -> None:
    devices = SharedDevices(2)
    assert devices.has_room(0, set())
    assert devices.has_room(1, {0})
    assert not devices.has_room(2, {0, 1})
    devices.measured(0, 1)
    assert devices.has_room(2, {0, 1})
    assert not devices.has_room(3, {0, 1})  # of the other device nothing is known
    assert not devices.has_room(4, {0, 1, 2})  # worker 2 will take the room that was measured
    devices.measured(2, 0)
    assert not devices.has_room(4, {0, 1, 2})
    devices.left(0)
    assert devices.has_room(0, {1}) is True


def test_a_full_device_is_a_warning_only_where_a_worker_does_not_start(caplog: pytest.LogCaptureFixture) -> None:
    devices = SharedDevices(2)
    devices.measured(0, 0)
    devices.measured(1, 0)
    assert devices.has_room(1, {0})
    assert caplog.messages == []
    assert not devices.has_room(2, {0, 1})
    assert not devices.has_room(4, {0, 1})
    assert caplog.messages == ["Worker 2 does not start: its device has no memory for another worker."]


@pytest.mark.parametrize(("room", "n_processes"), [(0, 1), (3, 2)])
def test_a_pool_on_one_gpu_has_a_second_worker_only_with_room_for_it(room: int, n_processes: int) -> None:
    outcomes = list(PoolExecutor(2, n_devices=1).run(iter(range(8)), works.Measured(room)))
    assert len({outcome.result for outcome in outcomes}) == n_processes
    assert {outcome.failure for outcome in outcomes} == {None}
