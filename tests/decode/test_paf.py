"""PafDecoder: people out of drawn maps, layouts and conventions, limits, refused input. Both implementations."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trt_pose_app.decode import paf
from trt_pose_app.decode.paf import PafDecoder, PafLayout, PafParams
from trt_pose_app.errors import ConfigError, DecodeError, DependencyError
from trt_pose_app.geometry import Geometry
from trt_pose_app.skeleton import COCO18, OPENPOSE18, Skeleton

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import paf_scenes

NATIVE = pytest.param(True, marks=pytest.mark.skipif(not paf.native_available(), reason="the extension is not built"))
CHAIN = Skeleton("chain", ("a", "b", "c"), ((0, 1), (1, 2)), (0, 1, 2))
SAME = Geometry.stretch((64, 48), (64, 48))
Maps = dict[str, NDArray[Any]]


@pytest.fixture(params=[NATIVE, pytest.param(False)], ids=lambda native: "native" if native else "numpy")
def native(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def decoder(native: bool, layout: dict[str, Any] | None = None, **params: Any) -> PafDecoder:
    return PafDecoder(
        CHAIN, PafLayout(CHAIN.limbs, **{"stride": 1, **(layout or {})}), PafParams(**params), native=native
    )


def point(x: float, y: float, peak: float = 0.9, size: tuple[int, int] = (48, 64)) -> NDArray[np.float32]:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.asarray(peak * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2), np.float32)


def people(*rows: float, xs: tuple[float, ...] = (10.3, 25.6, 40.2)) -> Maps:
    """Return the maps of chains that lie horizontally at the given rows; the field points along x everywhere."""
    cmap = [np.max([point(x, y) for y in rows], axis=0) for x in xs]
    field = np.zeros((4, 48, 64), np.float32)
    field[0] = field[2] = 0.8
    return {"cmap": np.stack(cmap)[None].astype(np.float32), "paf": field[None]}


def test_a_person_is_found_to_a_fraction_of_a_pixel(native: bool) -> None:
    (poses,) = decoder(native).decode(people(20.4), [SAME])
    np.testing.assert_allclose(poses.xy, [[[10.3, 20.4], [25.6, 20.4], [40.2, 20.4]]], atol=2e-3)
    np.testing.assert_allclose(poses.box, [[10.3, 20.4, 40.2, 20.4]], atol=2e-3)
    assert poses.skeleton is CHAIN
    assert poses.track.tolist() == [-1]
    assert 0.75 < poses.person[0] <= 1
    assert ((poses.score > 0.75) & (poses.score <= 0.9)).all()


def test_a_missing_part_is_nan_with_score_0(native: bool) -> None:
    maps = people(20)
    maps["cmap"][0, 2] = 0
    (poses,) = decoder(native, min_keypoints=2).decode(maps, [SAME])
    assert np.isnan(poses.xy[0, 2]).all()
    assert poses.score[0, 2] == 0


def test_the_geometry_leads_back_to_the_frame(native: bool) -> None:
    geometry = Geometry.letterbox((640, 360), (512, 384))
    (poses,) = decoder(native, {"stride": 8}).decode(people(20.4), [geometry])
    cells = np.array([[10.3, 20.4], [25.6, 20.4], [40.2, 20.4]])
    np.testing.assert_allclose(poses.xy[0], geometry.to_frame((cells + 0.5) * 8 - 0.5), atol=0.03)


def test_every_frame_of_a_batch_has_its_own_geometry_and_people(native: bool) -> None:
    maps = {name: np.concatenate([people(20)[name], people(8, 30)[name]]) for name in ("cmap", "paf")}
    one, two = decoder(native).decode(maps, [SAME, Geometry.stretch((128, 96), (64, 48))])
    assert (len(one), len(two)) == (1, 2)
    assert two.xy[:, :, 1].max() > 50


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_any_strides_and_half_precision(native: bool, dtype: type) -> None:
    maps = {name: value.astype(dtype) for name, value in people(20.4, 30.2).items()}
    (wanted,) = decoder(native).decode(maps, [SAME])
    channels_last = {n: np.ascontiguousarray(v.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for n, v in maps.items()}
    backwards = {n: np.ascontiguousarray(v[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1] for n, v in maps.items()}
    unaligned = {
        n: np.frombuffer(b"\0" + v.tobytes(), np.uint8)[1:].view(dtype).reshape(v.shape) for n, v in maps.items()
    }
    every_second = {n: np.repeat(v, 2, axis=3)[..., ::2] for n, v in maps.items()}
    for odd in (channels_last, backwards, unaligned, every_second):
        (poses,) = decoder(native).decode(odd, [SAME])
        np.testing.assert_array_equal(poses.xy, wanted.xy)
        np.testing.assert_array_equal(poses.person, wanted.person)


@pytest.mark.parametrize(
    ("layout", "cmap_order", "paf_order"),
    [
        ({}, [0, 1, 2], [0, 1, 2, 3]),
        ({"component_order": "yx"}, [0, 1, 2], [1, 0, 3, 2]),
        ({"limb_channels": ((2, 3), (0, 1))}, [0, 1, 2], [2, 3, 0, 1]),
        ({"background_channel": 3}, [0, 1, 2, -1], [0, 1, 2, 3]),
        ({"background_channel": 0}, [-1, 0, 1, 2], [0, 1, 2, 3]),
        ({"limb_channels": ((4, 5), (2, 3))}, [0, 1, 2], [-1, -1, 2, 3, 0, 1, -1]),
        ({"cmap": "heat", "paf": "vectors"}, [0, 1, 2], [0, 1, 2, 3]),
    ],
    ids=["xy", "yx", "permuted limbs", "background last", "background first", "some limbs of a network", "names"],
)
def test_layouts(native: bool, layout: dict[str, Any], cmap_order: list[int], paf_order: list[int]) -> None:
    plain = people(20.4)
    (wanted,) = decoder(native).decode(plain, [SAME])
    noise = np.float32(0.95)  # what a decoder that reads the wrong channel would trip over
    stacked = {
        layout.get(name, name): np.stack([plain[name][0, c] if c >= 0 else np.full((48, 64), noise) for c in order])[
            None
        ]
        for name, order in (("cmap", cmap_order), ("paf", paf_order))
    }
    (poses,) = decoder(native, layout).decode(stacked, [SAME])
    np.testing.assert_array_equal(poses.xy, wanted.xy)


def test_one_part_per_person_strongest_link_first(native: bool) -> None:
    """The field bears out diagonal links too; the straight ones are stronger and win."""
    (poses,) = decoder(native).decode(people(12, 20, 28), [SAME])
    assert len(poses) == 3
    assert np.ptp(poses.xy[:, :, 1], axis=1).max() < 0.1


@pytest.mark.parametrize(
    ("params", "n_people"),
    [
        ({}, 2),
        ({"max_people": 1}, 1),
        ({"min_keypoints": 4}, 0),
        ({"min_person_score": 0.95}, 0),
        ({"peak_threshold": 0.95}, 0),
        ({"limb_threshold": 0.85}, 0),
        ({"max_peaks": 1}, 1),
    ],
)
def test_limits(native: bool, params: dict[str, Any], n_people: int) -> None:
    assert len(decoder(native, **params).decode(people(10, 30), [SAME])[0]) == n_people


def test_the_strongest_peaks_are_kept_wherever_they_lie(native: bool) -> None:
    maps = people(8, 24, 40)
    maps["cmap"][:, :, :32] *= 0.6  # the last row's person is the strongest
    (poses,) = decoder(native, max_peaks=1).decode(maps, [SAME])
    np.testing.assert_allclose(poses.xy[0, :, 1], 40, atol=0.1)


def test_a_gap_in_the_field_is_no_limb(native: bool) -> None:
    maps = people(20)
    maps["paf"][..., 15:21] = 0  # a third of the first limb
    (poses,) = decoder(native, min_keypoints=2).decode(maps, [SAME])
    assert np.isnan(poses.xy[0, 0]).all()


def test_a_field_against_the_limb_is_no_limb(native: bool) -> None:
    maps = people(20)
    maps["paf"] *= -1
    assert len(decoder(native, limb_threshold=0, limb_success_ratio=0).decode(maps, [SAME])[0]) == 0


def test_attach_only_limbs_add_but_never_found_or_join(native: bool) -> None:
    layout = {"attach_only_limbs": (1,)}
    maps = people(20)
    assert (decoder(native, layout).decode(maps, [SAME])[0].score > 0).all()
    maps["cmap"][0, 0] = 0
    assert len(decoder(native, layout, min_keypoints=2).decode(maps, [SAME])[0]) == 0


def test_each_plateau_is_one_peak(native: bool) -> None:
    maps = people(20)
    maps["cmap"] = np.minimum(maps["cmap"], 0.3)
    (poses,) = decoder(native).decode(maps, [SAME])
    assert len(poses) == 1
    np.testing.assert_allclose(poses.xy[0], [[10.3, 20], [25.6, 20], [40.2, 20]], atol=0.75)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (0.3, 20), (62.8, 20), (30, 0.4), (30.2, 46.7), (63, 47)])
def test_peaks_at_the_border_are_not_biased(native: bool, x: float, y: float) -> None:
    maps = people(24)
    maps["cmap"][0, 0] = point(x, y)
    field = np.array([25.6 - x, 24 - y])
    maps["paf"][0, :2] = (field / np.linalg.norm(field))[:, None, None]
    (poses,) = decoder(native).decode(maps, [SAME])
    np.testing.assert_allclose(poses.xy[0, 0], [x, y], atol=5e-3)


def test_sub_pixel_error_of_clean_gaussians(native: bool) -> None:
    """The original's window-5 centroid errs .030 px in the mean at 56 cells, .166 at 92."""
    for size in (56, 92):
        scene = {"seed": 0, "keypoints": [[[0.1 + 0.043 * i, 0.2 + 0.0371 * i] for i in range(18)]]}
        maps = paf_scenes.maps(scene, size, noise=0)
        (poses,) = PafDecoder(COCO18, paf_scenes.LAYOUT, native=native).decode(maps, [paf_scenes.geometry(size)])
        cells = (poses.xy[0] - 1.5) / 4
        np.testing.assert_allclose(cells, paf_scenes.points(scene, size)[0], atol=0.005)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (1, 1), (1, 9), (2, 2)])
def test_tiny_maps_give_nobody(native: bool, shape: tuple[int, int]) -> None:
    maps = {"cmap": np.full((1, 3, *shape), 0.5, np.float32), "paf": np.ones((1, 4, *shape), np.float32)}
    assert len(decoder(native).decode(maps, [SAME])[0]) == 0


def test_no_limbs_no_frames(native: bool) -> None:
    lone = Skeleton("lone", ("a", "b", "c"), (), (0, 1, 2))
    maps = {"cmap": people(20)["cmap"], "paf": np.zeros((1, 0, 48, 64), np.float32)}
    assert len(PafDecoder(lone, PafLayout(()), native=native).decode(maps, [SAME])[0]) == 0
    assert decoder(native).decode({name: value[:0] for name, value in people(20).items()}, []) == []


@pytest.mark.parametrize("name", [name for name, _ in paf_scenes.garbage(24)])
def test_garbage_gives_valid_poses(native: bool, name: str) -> None:
    maps = dict(paf_scenes.garbage(24))[name]
    (poses,) = PafDecoder(COCO18, paf_scenes.LAYOUT, native=native).decode(maps, [paf_scenes.geometry(24)])
    type(poses)(poses.xy, poses.score, poses.person, poses.box, poses.track, poses.skeleton)  # validates
    assert len(poses) <= 100
    if "noise" not in name and "grid" not in name:
        assert len(poses) == 0


def test_an_empty_noisy_frame_gives_nobody(native: bool) -> None:
    subject = PafDecoder(COCO18, paf_scenes.LAYOUT, native=native)
    for seed in range(3):
        maps = paf_scenes.maps({"seed": seed, "keypoints": []}, 56)
        assert len(subject.decode(maps, [paf_scenes.geometry(56)])[0]) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda maps: {"cmap": maps["cmap"]}, "no output 'paf'"),
        (lambda maps: {**maps, "cmap": maps["cmap"][0]}, "shape"),
        (lambda maps: {**maps, "cmap": maps["cmap"].astype(np.float64)}, "float64"),
        (lambda maps: {**maps, "paf": maps["paf"].astype(">f4")}, ">f4"),
        (lambda maps: {**maps, "paf": maps["paf"].tolist()}, "list"),
        (lambda maps: {**maps, "cmap": maps["cmap"][:, :2]}, "2 channels"),
        (lambda maps: {**maps, "paf": maps["paf"][:, :3]}, "3 channels"),
        (lambda maps: {**maps, "paf": maps["paf"][:, [0, 1, 2, 3, 0]]}, "5 channels"),
        (lambda maps: {**maps, "paf": maps["paf"][:, :, 1:]}, "47x64"),
        (lambda maps: {**maps, "paf": maps["paf"][[0, 0]]}, "1 and 2 frames"),
        (lambda maps: {name: value[[0, 0]] for name, value in maps.items()}, "1 geometries"),
        (lambda maps: {n: np.broadcast_to(v[..., :1, :1], (*v.shape[:2], 1, 40000)) for n, v in maps.items()}, "large"),
    ],
)
def test_broken_contracts(native: bool, change: Any, message: str) -> None:
    with pytest.raises(DecodeError, match=message) as caught:
        decoder(native).decode(change(people(20)), [SAME])
    assert caught.value.hint


@pytest.mark.parametrize(
    "build",
    [
        lambda: PafParams(limb_samples=1),
        lambda: PafParams(peak_threshold=float("nan")),
        lambda: PafParams(max_peaks=0),
        lambda: PafLayout(((0, 0),)),
        lambda: PafLayout(((0, 1),), limb_channels=()),
        lambda: PafLayout(((0, 1),), limb_channels=((0, -1),)),
        lambda: PafLayout(((0, 1),), attach_only_limbs=(1,)),
        lambda: PafLayout(((0, 1),), stride=0),
        lambda: PafLayout(((0, 1),), component_order="zy"),  # type: ignore[arg-type]
        lambda: PafDecoder(CHAIN, PafLayout(((0, 3),))),
    ],
)
def test_contradictions_are_refused(build: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        build()
    assert caught.value.hint


def test_without_the_extension_numpy_takes_over_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paf, "NativeParser", None)
    paf._warn_once.cache_clear()
    layout = PafLayout(OPENPOSE18.limbs, background_channel=18)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoders = [PafDecoder(OPENPOSE18, layout) for _ in range(3)]
    assert [warning.category for warning in caught] == [RuntimeWarning]
    assert not any(one.native for one in decoders)
    with pytest.raises(DependencyError):
        PafDecoder(OPENPOSE18, layout, native=True)
    PafDecoder(OPENPOSE18, layout, native=False)  # asked for: no warning
