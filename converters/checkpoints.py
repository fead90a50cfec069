"""Any supported checkpoint: what it is, told from its content, and the network with its spec.

A file is recognised from the names and shapes of its tensors, which are read without running anything in it. Only the
network that has exactly these tensors is then built and filled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters import trt_pose_checkpoint
from converters.file_kind import ONNX, PICKLE, SDK_ZIP, TORCH, file_kind
from converters.pickle_reader import StoredTensor
from converters.published import published, with_published
from converters.state_dict_kind import differences, first_keys, state_dict_kind
from converters.torch2trt_engine import is_torch2trt, read_torch2trt
from converters.torch_file import TorchFile, read_torch_file
from trt_pose_app.errors import ConfigError, DependencyError, ModelNotFoundError, ModelSpecError
from trt_pose_app.models.bundle import MissingSpecError, read_bundle
from trt_pose_app.models.spec import ModelSpec
from trt_pose_app.models.task_file import read_task_file
from trt_pose_app.skeleton import SKELETONS

if TYPE_CHECKING:
    import onnx
    from torch import nn

Shapes = dict[str, tuple[int, ...]]

SUPPORTED = (
    "trt_pose, torch2trt, RTMPose, RTMDet, MobileNetV2 heatmap, OpenPose, Lightweight OpenPose, a training run of this "
    "project (last.pt), an OpenMMLab onnx_sdk archive, or ONNX"
)
_EXPECTED = f"supported are {SUPPORTED}; docs/checkpoints.md says how each is told"

# Family -> the module whose identify(shapes) knows it. Asked in this order.
_FAMILIES = {
    "rtmpose": "trt_pose_app.networks.rtmpose",
    "rtmdet": "trt_pose_app.networks.rtmdet",
    "mobilenetv2-heatmap": "trt_pose_app.networks.mobilenetv2_heatmap",
    "openpose-lightweight": "trt_pose_app.networks.openpose_lightweight",
    "openpose": "trt_pose_app.networks.openpose_vgg",
}
_CMU_WEIGHTS = "openpose-vgg-cmu"  # in the zoo; the same tensors as the free ones, fed otherwise
_DEFAULT_SIZE = (224, 224)  # trt_pose's networks take any; this is what most were trained with
_NOT_WEIGHTS = ("data_preprocessor.",)  # mmengine keeps the mean and deviation of pictures there


@dataclass(frozen=True)
class Checkpoint:
    """A recognised file. ``family`` is its kind in one word; ``spec`` what its numbers mean.

    It holds one of three things, the other two calls give None or refuse: a torch network (``build``), an ONNX
    network (``onnx``), or a finished TensorRT engine (``engine``).
    """

    path: Path
    family: str
    summary: str
    spec: ModelSpec
    _network: Callable[[], nn.Module] | None = field(default=None, repr=False)
    _onnx: Callable[[], onnx.ModelProto] | None = field(default=None, repr=False)
    _engine: bytes | None = field(default=None, repr=False)

    def describe(self) -> str:
        """Return one line for people."""
        entry = self.spec.input
        about = "" if self.spec.skeleton is None else f", skeleton {self.spec.build_skeleton().name}"
        return f"{self.summary}, input {entry.height}x{entry.width} {entry.colour.upper()}{about}"

    def build(self) -> tuple[nn.Module, ModelSpec]:
        """Return the network with its weights, in eval mode, and its spec. Raises ModelError, DependencyError."""
        if self._network is None:
            raise ConfigError(f"{self.path} is no torch checkpoint but {self.summary}", hint="it needs no building")
        return self._network(), self.spec

    def onnx(self) -> tuple[onnx.ModelProto, ModelSpec] | None:
        """Return the ONNX network that the file holds, and its spec; None where it holds none."""
        return None if self._onnx is None else (self._onnx(), self.spec)

    def engine(self) -> tuple[bytes, ModelSpec] | None:
        """Return the serialised TensorRT engine that the file holds, and its spec; None where it holds none."""
        return None if self._engine is None else (self._engine, self.spec)


def recognise(path: Path, *, spec: Path | None = None, task: Path | None = None) -> Checkpoint:
    """Return what the file ``path`` is. Nothing in it is run and nothing is written.

    ``spec`` says what its numbers mean where the file itself cannot, or is to be overruled; ``task`` is the
    human_pose.json of a trt_pose network. Raises ModelNotFoundError; ModelSpecError for a file that is damaged,
    unsafe or of an unknown network, which says what it looks like; DependencyError for a torch network without torch.
    """
    if not path.is_file():
        raise ModelNotFoundError(f"there is no checkpoint {path}", hint="check the path")
    kind = file_kind(path)
    if kind == ONNX:
        return _onnx_checkpoint(path, spec)
    if kind == SDK_ZIP:
        return _sdk_checkpoint(path, spec)
    if kind not in (TORCH, PICKLE):
        raise ModelSpecError(f"{path} is {kind}", hint=_hint_for(kind))
    file = read_torch_file(path)
    if is_torch2trt(file.content):
        return _torch2trt_checkpoint(file, spec, task)
    if isinstance(file.content, Mapping) and {"recipe", "parts", "limbs", "ema"} <= file.content.keys():
        return _training_checkpoint(file, spec)
    return _torch_checkpoint(file, spec, task)


def _hint_for(kind: str) -> str:
    if "git-lfs" in kind:
        return "fetch the file itself: git lfs pull"
    if "HTML" in kind or "empty" in kind or "cut short" in kind:
        return "download the file again, from another mirror if it stays so"
    if "TensorRT" in kind:
        return "it is ready to run: give it the suffix .engine and a spec, see docs/models.md"
    if "safetensors" in kind:
        return "save it as a state dict first: torch.save(safetensors.torch.load_file(path), 'network.pth')"
    return _EXPECTED


def _torch_checkpoint(file: TorchFile, spec: Path | None, task: Path | None) -> Checkpoint:
    state = _state_dict(file)
    shapes: Shapes = {key: tensor.shape for key, tensor in state.items()}
    path, entry = file.path, published(file.path)
    try:
        trt_pose = trt_pose_checkpoint.identify(shapes)
        if trt_pose is not None:
            made = _given(spec)
            if made is None:
                skeleton = trt_pose_checkpoint.skeleton_of(trt_pose, path, task)
                made = with_published(trt_pose.spec(_name_of(path), skeleton, _DEFAULT_SIZE), entry)
            found = {"parts": trt_pose.n_parts, "PAF channels": trt_pose.n_paf_channels}
            summary = f"trt_pose {trt_pose.architecture} with " + ", ".join(f"{n} {what}" for what, n in found.items())
            _check_parts(made, trt_pose.n_parts, path)
            return _checked("trt_pose", summary, made, file, state, trt_pose.build)
        for family, module in _FAMILIES.items():
            variant = _module(module).identify(shapes)
            if variant is None:
                continue
            if family == "openpose":
                names = _module(module).rename(shapes)  # two spellings are public
                state = {names[key]: tensor for key, tensor in state.items()}
                if entry is not None and entry.name == _CMU_WEIGHTS:
                    variant = replace(variant, preprocessing="rtpose")
            made = _given(spec) or with_published(variant.spec(), entry)
            if (n_keypoints := getattr(variant, "n_keypoints", None)) is not None:
                _check_parts(made, n_keypoints, path)
            told = [getattr(variant, fact) for fact in ("size", "preprocessing") if hasattr(variant, fact)]
            return _checked(family, " ".join([family, *told]), made, file, state, variant.build)
    except ModelSpecError as error:
        if str(path) in error.message:
            raise
        raise ModelSpecError(f"{path}: {error.message}", hint=error.hint) from error
    raise ModelSpecError(
        f"{path} is no network that can be converted: it looks like {state_dict_kind(shapes)}; its tensors begin with "
        f"{first_keys(shapes)}",
        hint=_EXPECTED,
    )


def _checked(
    family: str,
    summary: str,
    spec: ModelSpec,
    file: TorchFile,
    state: Mapping[str, StoredTensor],
    build: Callable[[], nn.Module],
) -> Checkpoint:
    """Return the checkpoint once its tensors are exactly those of the network. Costs no memory: shapes only."""
    torch = _module("torch")
    with torch.device("meta"):
        expected = {key: tuple(tensor.shape) for key, tensor in build().state_dict().items()}
    # Files of torch before 0.4.1 do not count batches; nothing that runs uses the count.
    found = {key: tensor.shape for key, tensor in state.items()}
    found |= {key: () for key in expected if key.endswith(".num_batches_tracked") and key not in found}
    if differences(expected, found):
        raise ModelSpecError(
            f"{file.path} looks like {summary} but is not: {differences(expected, found)}",
            hint="get the checkpoint again, or the network's own; nothing is loaded in part",
        )

    def network() -> nn.Module:
        built = build().eval()
        built.load_state_dict(_tensors(file, state, expected))
        return built

    return Checkpoint(file.path, family, summary, spec, _network=network)


def _tensors(file: TorchFile, state: Mapping[str, StoredTensor], expected: Shapes) -> Any:
    """Return the state dict that ``load_state_dict`` takes. Raises ModelSpecError for values that are not finite."""
    torch = _module("torch")
    tensors: Any = torch.nn.Module().state_dict()  # an OrderedDict that can carry the version that MNASNet asks for
    tensors |= {key: torch.zeros((), dtype=torch.int64) for key in expected if key not in state}
    for key, values in file.arrays(state):
        tensors[key] = torch.from_numpy(values)
        if not bool(torch.isfinite(tensors[key]).all()):
            raise ModelSpecError(
                f"{file.path} is damaged: {key} holds numbers that are not finite", hint="get the checkpoint again"
            )
    tensors._metadata = {"0.backbone": {"version": 2}}
    return tensors


def _state_dict(file: TorchFile) -> dict[str, StoredTensor]:
    """Return the tensors of the network, however deep they lie. Raises ModelSpecError where there are none."""
    content: Any = file.content
    # mmengine and Lightning: state_dict; others: model. mmengine's ema_state_dict and message_hub are of no use here.
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise ModelSpecError(f"{file.path} holds a {type(content).__name__}, not a state dict", hint=_EXPECTED)
    state = {str(key): value for key, value in content.items() if isinstance(value, StoredTensor)}
    if not state:
        held = ", ".join(str(key) for key in list(content)[:5]) or "nothing"
        raise ModelSpecError(f"{file.path} holds no tensors; it has {held}", hint=_EXPECTED)
    if all(key.startswith("module.") for key in state):  # torch.nn.DataParallel
        state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    return {key: tensor for key, tensor in state.items() if not key.startswith(_NOT_WEIGHTS)}


def _torch2trt_checkpoint(file: TorchFile, spec: Path | None, task: Path | None) -> Checkpoint:
    found = read_torch2trt(file.content, str(file.path))
    made, entry = _given(spec), published(file.path)
    names = f"inputs {', '.join(found.input_names)}, outputs {', '.join(found.output_names)}"
    if made is None:
        if entry is None or entry.kind != "paf" or len(found.input_names) != 1 or len(found.output_names) != 2:
            raise MissingSpecError(
                f"{file.path} is a TensorRT engine of torch2trt ({names}), and nothing says what its numbers mean",
                hint="write a spec as docs/checkpoints.md shows and give it with --spec",
            )
        skeleton = read_task_file(task) if task is not None else SKELETONS[entry.skeleton or "coco18"]
        tensors = (found.input_names[0], found.output_names[0], found.output_names[1])
        size = (entry.width, entry.height)
        made = with_published(
            trt_pose_checkpoint.trt_pose_spec(entry.name, skeleton, size, tensors=tensors),
            entry,
        )
    if made.input.name not in found.input_names or not set(made.outputs.values()) <= set(found.output_names):
        raise ModelSpecError(
            f"{file.path}: the spec names other tensors than the engine has: {names}",
            hint="correct [input] name and [outputs] of the spec",
        )
    summary = f"TensorRT engine of torch2trt, {len(found.engine) / 1e6:.1f} MB, {names}"
    return Checkpoint(file.path, "torch2trt", summary, made, _engine=found.engine)


def _training_checkpoint(file: TorchFile, spec: Path | None) -> Checkpoint:
    _module("torch")
    from converters.training_checkpoint import averaged_network, training_spec

    content = file.content
    state = {key: value for key, value in content["ema"].items() if isinstance(value, StoredTensor)}
    made = _given(spec) or training_spec(content, str(file.path))
    summary = f"training run {made.name} at step {content.get('step', '?')}"
    return _checked("training", summary, made, file, state, lambda: averaged_network(content, str(file.path)))


def _sdk_checkpoint(path: Path, spec: Path | None) -> Checkpoint:
    _module("onnx")
    from converters.onnx_file import check_spec
    from converters.sdk_zip import read_sdk_zip, sdk_spec

    archive = read_sdk_zip(path)
    model = archive.onnx()
    made = _given(spec)
    if made is None:
        made = sdk_spec(archive, model)
        entry = published(path)
        if entry is not None and (entry.width, entry.height) == (made.input.width, made.input.height):
            made = with_published(made, entry)
    check_spec(model, made, str(path))
    return Checkpoint(path, "openmmlab-sdk", f"{made.kind} network of an OpenMMLab archive", made, _onnx=lambda: model)


def _onnx_checkpoint(path: Path, spec: Path | None) -> Checkpoint:
    _module("onnx")
    from converters.onnx_file import check_spec, read_onnx, tensors_in_words
    from converters.sdk_zip import published_spec

    model = read_onnx(path)
    try:
        made = _given(spec) or read_bundle(path).spec
    except MissingSpecError as error:
        entry = published(path)
        known = None if entry is None else published_spec(entry, model)
        if known is None:
            raise MissingSpecError(f"{error.message}: {tensors_in_words(model)}", hint=error.hint) from error
        made = known
    check_spec(model, made, str(path))
    return Checkpoint(path, "onnx", f"ONNX network of kind {made.kind}", made, _onnx=lambda: model)


def _check_parts(spec: ModelSpec, n_parts: int, path: Path) -> None:
    """Raise ModelSpecError where the spec's skeleton has another number of parts than the network."""
    skeleton = spec.build_skeleton()
    if len(skeleton) != n_parts:
        raise ModelSpecError(
            f"{path} finds {n_parts} parts, the skeleton {skeleton.name} of its spec has {len(skeleton)}",
            hint="correct [skeleton] of the spec",
        )


def _given(spec: Path | None) -> ModelSpec | None:
    return None if spec is None else ModelSpec.read(spec)


def _name_of(path: Path) -> str:
    name = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in path.stem
    )
    return name.lstrip("._-") or "network"


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith(("trt_pose_app", "converters")):
            raise
        raise DependencyError(
            f"reading this checkpoint needs {error.name}", hint="pip install 'trt-pose-app[convert]'"
        ) from error
