from pathlib import Path

import pytest

from tests.probe.machines import DAMAGED, ORIN_NANO, PC, THOR, plant
from trt_pose_app.probe.board import Board, probe_board, probe_memory
from trt_pose_app.probe.power import probe_power


def test_orin_nano_with_jetpack_6(tmp_path: Path) -> None:
    root = plant(tmp_path, ORIN_NANO)
    assert probe_board(root) == Board(
        model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        jetson=True,
        l4t="36.4.3",
        jetpack="6.2",
        os="Ubuntu 22.04.5 LTS",
        kernel="5.15.148-tegra",
        cpu="ARMv8 Processor rev 1 (v8l)",
        cpu_cores=6,
        nvidia_driver="540.4.0",
        cuda_toolkit="12.6.11",
    )
    memory = probe_memory(root, root / "not/yet/there")
    assert (memory.total_mib, memory.available_mib, memory.swap_mib) == (7618, 5087, 0)
    assert memory.disk_free_mib is not None
    power = probe_power(root)
    assert (power.mode_name, power.fastest_mode, power.clocks_locked) == ("25W", 2, False)
    assert power.temperatures_c == {"cpu-thermal": 48.562, "tj-thermal": 51.0}
    assert power.throttling == ()  # a turning fan is not throttling


def test_thor_without_a_release_file(tmp_path: Path) -> None:
    root = plant(tmp_path, THOR)
    board = probe_board(root)
    assert (board.jetson, board.l4t, board.jetpack, board.cuda_toolkit) == (True, "38.2.0", "7.0", "13.0.2")
    power = probe_power(root)
    assert (power.mode_name, power.fastest_mode, power.clocks_locked) == ("MAXN", 0, True)


def test_pc(tmp_path: Path) -> None:
    root = plant(tmp_path, PC)
    board = probe_board(root)
    assert (board.model, board.jetson, board.l4t, board.jetpack) == (None, False, None, None)
    assert (board.cpu, board.cpu_cores) == ("AMD EPYC", 2)
    power = probe_power(root)
    assert (power.mode_name, power.fastest_mode, power.clocks_locked) == (None, None, None)


@pytest.mark.parametrize("files", [{}, DAMAGED])
def test_nothing_raises_where_files_are_missing_or_damaged(tmp_path: Path, files: dict[str, str]) -> None:
    root = plant(tmp_path, files)
    board, memory, power = probe_board(root), probe_memory(root), probe_power(root)
    assert (board.l4t, board.kernel, memory.total_mib, power.temperatures_c) == (None, None, None, {})
    assert board.cuda_toolkit == ("11.4.315" if files else None)
    assert power.fastest_mode is None


@pytest.mark.parametrize(
    ("release", "jetpack"),
    [
        ("R35 (release), REVISION: 6.4", "5.1"),
        ("R36 (release), REVISION: 3.0", "6.0"),
        ("R36 (release), REVISION: 4.0", "6.1"),
        ("R36 (release), REVISION: 4.7", "6.2.1"),
        ("R36 (release), REVISION: 5.0", "6.2.2"),
        ("R38 (release), REVISION: 4.0", "7.1"),
        ("R39 (release), REVISION: 2.0", "7.2"),
        ("R99 (release), REVISION: 1.0", None),
    ],
)
def test_jetpack_follows_from_the_release(tmp_path: Path, release: str, jetpack: str | None) -> None:
    root = plant(tmp_path, {"etc/nv_tegra_release": f"# {release}, GCID: 1, BOARD: generic\n"})
    assert probe_board(root).jetpack == jetpack


def test_throttling_names_what_is_at_work(tmp_path: Path) -> None:
    files = {"sys/class/thermal/cooling_device1/cur_state": "1\n"}
    assert probe_power(plant(tmp_path, ORIN_NANO | files)).throttling == ("cpu-throttle-alert",)
