"""recognise: each family from a generated file, and for each wrong file the words that help."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import random
from pathlib import Path

import numpy as np
import pytest

from converters.checkpoints import recognise
from tests.converters.pickles import torch2trt_pickle, write_torch_legacy, write_torch_zip
from tests.converters.test_sdk_zip import SIMCC, pipeline, write_zip
from tests.networks import write_affine_network, write_scripted_pose_network
from trt_pose_app.errors import ConfigError, ModelNotFoundError, ModelSpecError, TrtPoseError
from trt_pose_app.skeleton import COCO18, HAND21

SHARED = Path(__file__).parents[2] / "../shared"
GOLDEN = SHARED / "golden"
TRT_POSE = sorted((GOLDEN / "trt_pose").glob("statedict_*.json")) or [None]
MMPOSE = sorted((GOLDEN / "rtmpose").glob("keys_*.json")) or [None]


def name_of(path: Path | None) -> str:
    return path.stem.partition("_")[2] if path else "none"


class TestWithoutTorch:
    """Networks that are ready, and files that are none."""

    def test_an_onnx_network_with_a_spec(self, tmp_path):
        path = write_scripted_pose_network(tmp_path)
        checkpoint = recognise(path)
        assert checkpoint.describe() == "ONNX network of kind paf, input 128x128 BGR, skeleton coco18"
        model, spec = checkpoint.onnx()
        assert spec.name == "scripted"
        assert [value.name for value in model.graph.output] == ["cmap", "paf"]
        with pytest.raises(ConfigError, match="is no torch checkpoint"):
            checkpoint.build()

    def test_an_onnx_network_without_one(self, tmp_path):
        path = write_affine_network(tmp_path / "a.onnx", side=32)
        with pytest.raises(ModelSpecError, match=r"takes x \(-1, 3, 32, 32\) and gives y .* --spec FILE"):
            recognise(path)

    def test_a_spec_of_another_network(self, tmp_path):
        spec = write_scripted_pose_network(tmp_path).with_suffix(".toml")
        path = write_affine_network(tmp_path / "a.onnx")
        with pytest.raises(ModelSpecError, match="has no 'image', 'cmap', 'paf', which its spec names: it takes x"):
            recognise(path, spec=spec)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "is an empty file .*download the file again"),
            (b"<html>404", "is an HTML page: a download that failed"),
            (
                b"version https://git-lfs.github.com/spec/v1\nsize 99\n",
                "git-lfs pointer to a file of 99 bytes .*lfs pull",
            ),
            (b"ftrt....", r"is a TensorRT engine .*suffix \.engine"),
            (b"\x10\0\0\0\0\0\0\0" + b'{"w":{"d":"F"}}   ', r"is a safetensors file .*torch\.save"),
            (b"PK\x03\x04 cut", "zip archive that is cut short"),
            (b"something else", "is nothing known here .*supported are trt_pose, torch2trt, RTMPose"),
        ],
    )
    def test_what_a_wrong_file_looks_like(self, tmp_path, content, message):
        path = tmp_path / "resnet18_baseline_att_224x224_A_epoch_249.pth"
        path.write_bytes(content)
        with pytest.raises(ModelSpecError, match=message):
            recognise(path)

    def test_no_file(self, tmp_path):
        with pytest.raises(ModelNotFoundError, match="there is no checkpoint"):
            recognise(tmp_path / "absent.pth")

    def test_a_malicious_pickle_is_not_run(self, tmp_path):
        target = tmp_path / "created"
        path = write_torch_legacy(
            tmp_path / "x.pth", f"\x80\x02cos\nmkdir\nX{chr(len(str(target)))}\0\0\0{target}\x85R.".encode("latin-1")
        )
        with pytest.raises(ModelSpecError, match=r"x\.pth asks to run os\.mkdir when it is loaded: refused"):
            recognise(path)
        assert not target.exists()


@pytest.mark.parametrize("kind", ["zip", "legacy", "sdk"])
def test_any_damage_is_told_in_the_packages_own_errors(tmp_path, kind):
    rng = random.Random(0)
    plan = torch2trt_pickle(b"ftrt" * 20, {"input_names": ["input_0"], "output_names": ["a", "b"]})
    path = tmp_path / "resnet18_baseline_att_224x224_A_epoch_249_trt.pth"
    if kind == "sdk":
        write_zip(path, {"a/end2end.onnx": SIMCC, "a/pipeline.json": pipeline()})
    else:
        (write_torch_zip if kind == "zip" else write_torch_legacy)(path, plan)
    whole = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 1, 3])):
            damaged[rng.randrange(len(damaged))] = rng.choice([0, 255, rng.randrange(256)])
        path.write_bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.2 else damaged)
        with contextlib.suppress(TrtPoseError):
            recognise(path)


torch = None
if importlib.util.find_spec("torch") is not None:
    import torch

needs_torch = pytest.mark.skipif(torch is None, reason="needs torch")


def hash_fill(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def random_state(shapes):
    """Random weights that are finite, whatever they are for."""
    generator = torch.Generator().manual_seed(0)
    return {key: torch.rand(shape, generator=generator) if shape else torch.tensor(7) for key, shape in shapes.items()}


def trt_pose_state(architecture="resnet18_baseline_att", n_parts=18, n_limbs=21, **options):
    from trt_pose_app.networks.paf_attention import build_paf_attention

    with torch.device("meta"):
        network = build_paf_attention(architecture, n_parts, 2 * n_limbs, **options)
    return random_state({key: tuple(tensor.shape) for key, tensor in network.state_dict().items()})


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def equal(network, state) -> bool:
    """Whether the network holds just these weights; files do not always count batches."""
    loaded = network.state_dict()
    return loaded.keys() == state.keys() and all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.fixture(scope="module")
def rtmpose_state():
    from trt_pose_app.networks.rtmpose import RtmPoseVariant

    with torch.device("meta"):
        network = RtmPoseVariant("t", 17, 192, 256).build()
    return random_state({key: tuple(tensor.shape) for key, tensor in network.state_dict().items()})


@needs_torch
class TestTrtPose:
    @pytest.mark.shared
    @pytest.mark.parametrize("listing", TRT_POSE, ids=name_of)
    def test_all_architectures(self, listing, tmp_path):
        """The keys are official. Only names and shapes are asked, so bytes will do for numbers."""
        official = json.loads(listing.read_text())
        shapes = {key: entry["shape"] for key, entry in official["state_dict"].items()}
        state = {key: torch.zeros(shape, dtype=torch.uint8) for key, shape in shapes.items()}
        checkpoint = recognise(saved(tmp_path / "a.pth", state))
        assert checkpoint.family == "trt_pose"
        assert checkpoint.describe().startswith(f"trt_pose {official['model']} with 18 parts, 42 PAF channels")
        assert checkpoint.spec.skeleton == "coco18"

    @pytest.mark.shared
    def test_the_golden_output_comes_out_of_a_file(self, tmp_path):
        torch.set_num_threads(1)
        fill = hash_fill(GOLDEN / "trt_pose/hashfill.py")
        case = "golden/resnet18_baseline_att_224x224.npz"
        entry = json.loads((GOLDEN / "trt_pose/golden/index.json").read_text())[case]
        shapes = {key: tuple(tensor.shape) for key, tensor in trt_pose_state().items()}
        state = {
            key: torch.from_numpy(np.array(fill.tensor(key, shape, entry["gamma"]))) for key, shape in shapes.items()
        }
        network, spec = recognise(saved(tmp_path / "resnet18_baseline_att_224x224_A_epoch_249.pth", state)).build()
        assert not network.training
        assert (spec.name, spec.input.width, spec.origin.licence) == ("resnet18_baseline_att_224x224_A", 224, "MIT")
        with torch.no_grad():
            cmap, paf = network(torch.from_numpy(fill.image(tuple(entry["shape_in"])).astype(np.float32)))
        golden = np.load(GOLDEN / "trt_pose" / case)
        np.testing.assert_allclose(cmap[0, :, ::8, ::8].numpy(), golden["cmap32_first"], atol=1e-4)
        np.testing.assert_allclose(paf[0, :, ::8, ::8].numpy(), golden["paf32_first"], atol=1e-4)

    @pytest.mark.parametrize(
        ("architecture", "options"),
        [
            ("resnet18_baseline", {"upsample_channels": 16}),
            ("resnet18_baseline_att", {"upsample_channels": 16, "num_upsample": 2}),
            ("resnet18_baseline_att", {"upsample_channels": 16, "num_flat": 1}),
            ("mnasnet0_5_baseline_att", {"upsample_channels": 16}),
        ],
    )
    @pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])
    def test_weights_round_trip(self, tmp_path, architecture, options, as_zip):
        state = trt_pose_state(architecture, **options)
        path = saved(tmp_path / "a.pth", state, _use_new_zipfile_serialization=as_zip)
        network, spec = recognise(path).build()
        assert equal(network, state)
        assert spec.paf.stride == 32 >> options.get("num_upsample", 3)

    def test_wrapped_as_trainers_do(self, tmp_path):
        state = trt_pose_state(upsample_channels=8)
        wrapped = {"epoch": 3, "model": {f"module.{key}": tensor for key, tensor in state.items()}, "optimizer": {}}
        network, _ = recognise(saved(tmp_path / "a.pth", wrapped)).build()
        assert equal(network, state)

    def test_batch_counts_may_be_missing(self, tmp_path):
        state = trt_pose_state(upsample_channels=8)
        old = {key: tensor for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
        network, _ = recognise(saved(tmp_path / "a.pth", old)).build()
        assert torch.equal(network.state_dict()["1.cmap_conv.weight"], state["1.cmap_conv.weight"])

    def test_hands_are_known_by_their_counts(self, tmp_path):
        spec = recognise(saved(tmp_path / "a.pth", trt_pose_state(n_parts=21, n_limbs=20))).spec
        assert (spec.skeleton, spec.decode.peak_threshold) == ("hand21", 0.15)

    def test_other_parts_come_from_a_task_file(self, tmp_path):
        path = saved(tmp_path / "a.pth", trt_pose_state(n_parts=3, n_limbs=2, upsample_channels=8))
        with pytest.raises(ModelSpecError, match=r"has 3 parts and 2 limbs, unlike .*--task human_pose\.json"):
            recognise(path)
        content = {"keypoints": ["left_tip", "right_tip", "root"], "skeleton": [[3, 1], [3, 2]]}
        given = tmp_path / "horse.json"
        given.write_text(json.dumps(content))
        skeleton = recognise(path, task=given).spec.build_skeleton()
        assert (skeleton.parts, skeleton.limbs, skeleton.flip) == (
            ("left_tip", "right_tip", "root"), ((2, 0), (2, 1)), (1, 0, 2),
        )  # fmt: skip
        given.rename(tmp_path / "human_pose.json")
        assert recognise(path).spec.build_skeleton().parts == skeleton.parts

    def test_a_task_file_of_another_network(self, tmp_path):
        path = saved(tmp_path / "a.pth", trt_pose_state(upsample_channels=8))
        task = tmp_path / "hand_pose.json"
        content = {"keypoints": HAND21.parts, "skeleton": [[a + 1, b + 1] for a, b in HAND21.limbs]}
        task.write_text(json.dumps(content))
        assert recognise(path).spec.build_skeleton() == COCO18  # it only lies beside the file
        with pytest.raises(ModelSpecError, match=r"has 18 parts and 21 limbs, .*hand_pose\.json has 21 and 20"):
            recognise(path, task=task)
        task.write_text("[]")
        with pytest.raises(ConfigError, match="is no COCO category"):
            recognise(path, task=task)

    def test_a_spec_overrules(self, tmp_path):
        path = saved(tmp_path / "a.pth", trt_pose_state(upsample_channels=8))
        spec = write_scripted_pose_network(tmp_path).with_suffix(".toml")
        assert recognise(path, spec=spec).spec.name == "scripted"
        spec.write_text(spec.read_text().replace("coco18", "hand21"))
        with pytest.raises(ModelSpecError, match="finds 18 parts, the skeleton hand21 of its spec has 21"):
            recognise(path, spec=spec)


@needs_torch
class TestMmpose:
    @pytest.mark.shared
    @pytest.mark.parametrize("listing", MMPOSE, ids=name_of)
    def test_published_keys_round_trip(self, listing, tmp_path):
        model = name_of(listing)
        fill = hash_fill(GOLDEN / "rtmpose/detfill.py")
        state = {
            entry["name"]: torch.from_numpy(fill.fill(entry["name"], tuple(entry["shape"]), fill.GAIN[model]))
            for entry in json.loads(listing.read_text())
        }
        content = {"meta": {"epoch": 420}, "state_dict": state}
        checkpoint = recognise(saved(tmp_path / "a.pth", content, _use_new_zipfile_serialization=False))  # as OpenMMLab
        assert checkpoint.family == {"mobilenetv2": "mobilenetv2-heatmap"}.get(model, model.partition("-")[0])
        network, spec = checkpoint.build()
        assert equal(network, state)
        assert spec.kind == {"rtmpose": "simcc", "rtmdet": "detector"}.get(checkpoint.family, "heatmap")

    @pytest.mark.parametrize(
        ("size", "n_keypoints", "skeleton"), [("s", 17, "coco17"), ("m", 26, "halpe26"), ("x", 133, "coco133")]
    )
    def test_other_sizes_and_keypoints_of_rtmpose(self, size, n_keypoints, skeleton, tmp_path):
        from trt_pose_app.networks.rtmpose import RtmPoseVariant

        with torch.device("meta"):
            network = RtmPoseVariant(size, n_keypoints, 288, 384).build()
        state = {key: torch.zeros(value.shape, dtype=torch.uint8) for key, value in network.state_dict().items()}
        description = recognise(saved(tmp_path / "a.pth", {"state_dict": state})).describe()
        assert description == f"rtmpose {size}, input 384x288 RGB, skeleton {skeleton}"

    def test_what_mmengine_saves_beside_the_weights(self, rtmpose_state, tmp_path):
        content = {
            "meta": {"seed": 1, "experiment_name": "x"},
            "message_hub": {"log_scalars": {"loss": np.float64(0.5), "history": np.arange(3)}},
            "state_dict": {f"module.{key}": tensor for key, tensor in rtmpose_state.items()},
            "ema_state_dict": {"steps": torch.tensor(1)},
        }
        content["state_dict"]["module.data_preprocessor.mean"] = torch.zeros(3, 1, 1)
        network, _ = recognise(saved(tmp_path / "a.pth", content)).build()
        assert equal(network, rtmpose_state)

    def test_the_size_of_a_published_heatmap_network(self, tmp_path):
        from trt_pose_app.networks.mobilenetv2_heatmap import MobileNetV2HeatmapVariant

        state = MobileNetV2HeatmapVariant(17).build().state_dict()
        assert recognise(saved(tmp_path / "a.pth", state)).spec.input.width == 192
        name = "td-hm_mobilenetv2_8xb64-210e_coco-384x288-d3ab1457_20221013.pth"
        spec = recognise(saved(tmp_path / name, state)).spec
        assert (spec.input.width, spec.input.height, spec.name) == (288, 384, "mobilenetv2-384-heatmap")


@needs_torch
class TestOpenPose:
    @pytest.fixture
    def openpose_keys(self):
        return json.loads((GOLDEN / "training/openpose_statedict_keys.json").read_text())

    @pytest.mark.shared
    @pytest.mark.parametrize("prefix", ["", "module."])
    @pytest.mark.parametrize("spelling", ["ogawa", "tensorboy"])
    def test_both_spellings(self, openpose_keys, spelling, prefix, tmp_path):
        shapes = {entry["key"]: entry["shape"] for entry in openpose_keys["ogawa"]}
        if spelling == "tensorboy":
            shapes = {key.replace("model0.model.", "model0."): shape for key, shape in shapes.items()}
        state = {prefix + key: torch.full(shape, 0.5) for key, shape in shapes.items()}
        key = next(iter(state))
        state[key] = torch.rand(state[key].shape)
        checkpoint = recognise(saved(tmp_path / "a.pth", state))
        assert checkpoint.describe() == "openpose vgg, input 368x368 RGB, skeleton openpose18"
        network, _ = checkpoint.build()
        assert torch.equal(network.state_dict()["model0.0.weight"], state[key])

    @pytest.mark.shared
    def test_cmus_own_weights_are_fed_otherwise(self, openpose_keys, tmp_path):
        state = {entry["key"]: torch.zeros(entry["shape"]) for entry in openpose_keys["ogawa"]}
        spec = recognise(saved(tmp_path / "pose_model.pth", state)).spec
        assert (spec.input.colour, spec.input.mean[0]) == ("bgr", 128)
        assert "non-commercial" in spec.origin.licence

    @pytest.mark.shared
    @pytest.mark.parametrize("n_refinements", [1, 3])
    def test_lightweight(self, n_refinements, tmp_path):
        name = f"training/lightweight_openpose_statedict_{n_refinements}ref.json"
        keys = json.loads((GOLDEN / name).read_text())["keys"]
        state = random_state({entry["key"]: entry["shape"] for entry in keys})
        content = {"state_dict": {f"module.{key}": tensor for key, tensor in state.items()}, "iter": 370000}
        checkpoint = recognise(saved(tmp_path / "checkpoint_iter_370000.pth", content))
        assert checkpoint.family == "openpose-lightweight"
        network, spec = checkpoint.build()
        assert equal(network, state)
        assert (spec.input.colour, spec.input.mean[0], spec.skeleton) == ("bgr", 128, "openpose18")


@needs_torch
class TestTraining:
    def test_a_run_of_this_project(self, tmp_path):
        from trt_pose_app.training.build import build_network
        from trt_pose_app.training.checkpoint import save_checkpoint
        from trt_pose_app.training.recipe import Recipe

        recipe = Recipe.model_validate(
            {
                "name": "tiny",
                "data": {"images": "photos", "annotations": "a.json"},
                "network": {"trunk_channels": 8, "width": 8},
                "schedule": {"sizes": [[0.0, 64], [0.5, 96]]},
            }
        )
        network = build_network(recipe.network, COCO18).eval()
        state = {
            "step": 40, "recipe": recipe.model_dump_json(), "parts": list(COCO18.parts),
            "limbs": [list(limb) for limb in COCO18.limbs], "network": {}, "ema": network.state_dict(),
            "optimiser": {"state": {}, "param_groups": []},
        }  # fmt: skip
        save_checkpoint(tmp_path / "last.pt", state)
        checkpoint = recognise(tmp_path / "last.pt")
        assert checkpoint.describe() == "training run tiny at step 40, input 96x96 BGR, skeleton coco18"
        built, spec = checkpoint.build()
        assert equal(built, network.state_dict())
        assert (spec.input.padding_value, spec.input.std, spec.paf.stride) == (128, (1.0, 1.0, 1.0), network.stride)
        state["ema"]["out2.bias"] = torch.zeros(7)
        save_checkpoint(tmp_path / "last.pt", state)
        with pytest.raises(ModelSpecError, match=r"out2\.bias is \(7,\), not \(60,\)"):
            recognise(tmp_path / "last.pt")
        state["recipe"] = '{"name": "tiny", "pace": 3}'
        save_checkpoint(tmp_path / "last.pt", state)
        with pytest.raises(ModelSpecError, match="a recipe that this version does not know"):
            recognise(tmp_path / "last.pt")


@needs_torch
class TestWrongCheckpoints:
    """Nothing is written, nothing is loaded in part, and the message says what the file is."""

    @pytest.fixture(autouse=True)
    def nothing_written(self, tmp_path):
        yield
        assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]

    def refused(self, tmp_path, content, message):
        with pytest.raises(ModelSpecError, match=message):
            recognise(saved(tmp_path / "x.pth", content))

    @pytest.mark.parametrize(
        ("model", "kind"),
        [
            ("resnet50", "a torchvision ResNet-50 classifier of 1000 classes"),
            ("densenet121", "a torchvision DenseNet-121 classifier of 1000 classes"),
            ("mobilenet_v2", "a torchvision MobileNet classifier"),
        ],
    )
    def test_another_architecture(self, tmp_path, model, kind):
        import torchvision

        with torch.device("meta"):
            network = torchvision.models.get_model(model, weights=None)
        state = random_state({key: tuple(tensor.shape) for key, tensor in network.state_dict().items()})
        self.refused(tmp_path, state, f"it looks like {kind}; its tensors begin with .* .supported are trt_pose")

    def test_a_head_on_an_unknown_backbone(self, tmp_path):
        state = {f"0.dla.{key}" if key.startswith("0.") else key: tensor for key, tensor in trt_pose_state().items()}
        self.refused(tmp_path, state, r"x\.pth: it has the head of trt_pose on a backbone that trt_pose does not have")

    def test_a_backbone_without_its_head(self, tmp_path):
        state = {key: tensor for key, tensor in trt_pose_state().items() if key.startswith("0.")}
        self.refused(tmp_path, state, "a trt_pose backbone without its head")

    def test_the_first_differing_keys_are_named(self, tmp_path):
        state = trt_pose_state(upsample_channels=8)
        state["1.paf_att.weight"] = torch.zeros(8, 4, 3, 3)
        del state["1.cmap_att.bias"]
        state["1.extra"] = torch.zeros(1)
        self.refused(
            tmp_path, state,
            r"looks like trt_pose resnet18_baseline_att .* but is not: 1\.paf_att\.weight is \(8, 4, 3, 3\), "
            r"not \(8, 8, 3, 3\); 1\.cmap_att\.bias is missing; 1\.extra is too many",
        )  # fmt: skip

    def test_a_wrong_number_of_keypoints(self, tmp_path, rtmpose_state):
        state = dict(rtmpose_state)
        state["head.final_layer.weight"] = torch.rand(20, *state["head.final_layer.weight"].shape[1:])
        state["head.final_layer.bias"] = torch.rand(20)
        self.refused(tmp_path, state, r"x\.pth: the network finds 20 keypoints, and which ones is not known")

    def test_a_bias_for_another_number_of_classes(self, tmp_path, rtmpose_state):
        state = {**rtmpose_state, "head.final_layer.bias": torch.rand(26)}
        self.refused(tmp_path, state, r"head\.final_layer\.bias is \(26,\), not \(17,\)")

    def test_values_that_are_not_finite(self, tmp_path):
        state = trt_pose_state(upsample_channels=8)
        state["1.cmap_conv.bias"][3] = float("nan")
        checkpoint = recognise(saved(tmp_path / "x.pth", state))
        with pytest.raises(ModelSpecError, match=r"1\.cmap_conv\.bias holds numbers that are not finite"):
            checkpoint.build()

    def test_a_list_or_no_tensors(self, tmp_path):
        self.refused(tmp_path, [torch.zeros(1)], "holds a list, not a state dict")
        self.refused(tmp_path, {"epoch": 3, "loss": 0.1}, "holds no tensors; it has epoch, loss")

    def test_a_flipped_bit(self, tmp_path):
        path = saved(tmp_path / "x.pth", trt_pose_state(upsample_channels=8))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(ModelSpecError, match=r"x\.pth is damaged"):
            recognise(path).build()

    def test_cut_short(self, tmp_path):
        path = saved(tmp_path / "x.pth", trt_pose_state(upsample_channels=8), _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(ModelSpecError, match=r"damaged or cut short: \d+ bytes of tensor data are missing"):
            recognise(path)
