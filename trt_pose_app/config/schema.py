"""The one typed configuration object: every field with its default, its bounds and its unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator, model_validator
from typing_extensions import Self

from trt_pose_app.config import pattern

Seconds = Annotated[float, Field(gt=0, le=86400)]
Unit = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=pattern.NAME)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class DeviceConfig(_Section):
    """Who is speaking."""

    id: Name | None = Field(None, description="device name in messages and topics; default: the host name")
    camera: Name = Field("cam0", description="camera name in messages and topics")


class SourceConfig(_Section):
    """Where frames come from."""

    uri: str | None = Field(None, description="csi://0, /dev/video0, rtsp://..., a file, folder or glob, synthetic://")
    width: Annotated[int, Field(ge=16, le=16384)] | None = Field(
        None, description="capture width asked of a camera, px"
    )
    height: Annotated[int, Field(ge=16, le=16384)] | None = Field(None, description="capture height, px")
    fps: Annotated[float, Field(gt=0, le=1000)] | None = Field(None, description="capture rate asked of a camera, 1/s")
    flip: Literal["none", "rotate-180", "horizontal", "vertical"] = Field("none", description="how a camera hangs")
    stall_timeout_s: Seconds = Field(4.0, description="a live source without a frame for so long is reopened, s")
    reconnect_min_s: Seconds = Field(0.5, description="first pause before reopening, s; doubles with jitter")
    reconnect_max_s: Seconds = Field(2.0, description="longest pause before reopening, s")
    rtsp_transport: Literal["tcp", "udp"] = Field("tcp", description="how RTSP carries its packets; udp may lose some")
    loop: bool = Field(False, description="play a file again from its start")


class ModelConfig(_Section):
    """Which network, and how it is run and read."""

    name: str = Field(
        "pose-nano",
        description="a model's name (see `trt-pose models list`), the path of its file, a detector+pose pair, or one "
        "of lightweight, balanced, performance",
    )
    spec: Path | None = Field(
        None, description="spec file for a network that has none beside it; of a pair, the pose's"
    )
    input_size: str | None = Field(
        None,
        pattern=pattern.INPUT_SIZE,
        description="size of the network's input (of a pair, the detector's), px; height alone: width by aspect",
    )
    backend: Literal["auto", "cpu", "cuda", "tensorrt"] = Field("auto", description="ONNX Runtime execution provider")
    threads: Annotated[int, Field(ge=0, le=256)] = Field(0, description="threads of the CPU engine; 0: one per core")
    peak_threshold: Unit | None = Field(None, description="least confidence of a keypoint; default: the model's")
    min_person_score: Unit | None = Field(None, description="least score of a person; default: the model's")
    min_keypoints: Annotated[int, Field(ge=1)] | None = Field(
        None, description="fewest keypoints of a person; default: the model's"
    )
    max_people: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None, description="people kept in a frame, the best ones; default: the model's"
    )
    detector_threshold: Unit | None = Field(None, description="least score of a detector's box; default: the model's")
    pose_nms: Unit = Field(
        0.7, description="of two people in boxes whose keypoints are more alike than this (OKS), one stays"
    )
    max_batch: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="people in one run of a pose network whose batch is free"
    )
    flip: bool = Field(False, description="run each person mirrored too and average: twice the time, a little better")


class TrackConfig(_Section):
    """How people are followed from frame to frame, so that each keeps one id.

    A person's size is the square root of its box's area.
    """

    enabled: bool = Field(False, description="give every person an id; always so where `smooth` is on")
    memory_s: Seconds = Field(1.5, description="an id waits so long for a person who is hidden or not found, s")
    birth_frames: Annotated[int, Field(ge=1, le=1000)] = Field(
        3, description="frames in which a person is found before it gets an id"
    )
    birth_score: Unit = Field(0.0, description="least score of a person who gets a new id; lower ones keep theirs")
    min_similarity: Unit = Field(
        0.25, description="least likeness of keypoints and box, found and expected, for an id to stay"
    )
    agility: Annotated[float, Field(ge=0, le=100)] = Field(
        0.5, description="how fast a keypoint strays from where it is expected, person sizes/s; more at low frame rates"
    )
    pose_nms: Unit = Field(0.75, description="of two people in a frame who are more alike than this, one stays")


SinkKind = Literal["stdout", "jsonl", "csv", "video", "image", "images", "mqtt", "display", "null"]


class SmoothConfig(_Section):
    """How keypoints are kept from trembling: a One-Euro filter for each.

    A person's size is the square root of its box's area.
    """

    enabled: bool = Field(False, description="smooth keypoints over time; follows people as `track` does")
    min_cutoff_hz: Annotated[float, Field(gt=0, le=1000)] = Field(
        0.5, description="cutoff at rest, Hz; lower is calmer"
    )
    beta: Annotated[float, Field(ge=0, le=10_000)] = Field(
        5.0, description="rise of the cutoff with speed, Hz per person size/s; higher follows quicker"
    )
    derivative_cutoff_hz: Annotated[float, Field(gt=0, le=1000)] = Field(1.0, description="cutoff of the speed, Hz")
    max_gap_s: Seconds = Field(0.5, description="a keypoint missing for longer starts anew, s")
    raw_sinks: tuple[SinkKind, ...] = Field((), description="kinds of sinks that get the keypoints as they were found")


class GapConfig(_Section):
    """How often networks look at a frame, and how people are carried between two looks.

    Both gaps count frames of the source from its first one, 1 meaning every frame.
    """

    inference_gap: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="the networks run on every so many frames; between, optical flow carries people, frames"
    )
    detector_gap: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1,
        description="of a detector+pose pair, the detector runs on every so many frames; between, the pose network "
        "looks where people were, frames",
    )
    scene_change: Unit = Field(
        0.1, description="a frame that differs from the one before by more than this mean share of full scale is run"
    )
    region_score: Unit = Field(
        0.5, description="a person whose mean keypoint score falls below so much of what it was when detected is lost"
    )
    flow_side_px: Annotated[int, Field(ge=64, le=4096)] = Field(
        480, description="longer side of the grey picture in which optical flow is sought, px"
    )
    flow_error_px: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="a keypoint that flow brings forth and back no closer to its start is lost, px of that picture"
    )
    score_decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.95, description="by what scores are multiplied for every frame that people are carried"
    )


class MqttConfig(_Section):
    """How results go to a broker. The address itself is the sink: mqtt://[user@]host[:port]."""

    topic_prefix: str = Field("trt-pose/v1", pattern=pattern.TOPIC_PREFIX, description="first levels of every topic")
    # 2 is taken here to be refused below with its reason, and offered nowhere.
    qos: Annotated[Literal[0, 1, 2], WithJsonSchema({"enum": [0, 1]})] = Field(
        0, description="of the poses; status is always 1"
    )
    protocol: Literal[5, 4] = Field(5, description="MQTT version: 5, or 4 for 3.1.1")
    keepalive_s: Annotated[int, Field(ge=2, le=65535)] = Field(15, description="the broker's will fires after 1.5 x, s")
    expiry_s: Annotated[int, Field(ge=1, le=86400)] = Field(
        5, description="poses not delivered for so long are dropped, s; the broker does so with MQTT 5 only"
    )
    outbox: Annotated[int, Field(ge=1, le=100_000)] = Field(64, description="messages waiting at most; oldest go first")
    username: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="user name; wins over the one in the address"
    )
    password_file: Path | None = Field(None, description="file whose first line is the password")
    ca_file: Path | None = Field(None, description="CA certificates (PEM) for mqtts://; default: the system's")
    cert_file: Path | None = Field(None, description="client certificate (PEM)")
    key_file: Path | None = Field(None, description="client key (PEM), not encrypted; default: inside cert_file")
    client_id: Annotated[str, Field(pattern=pattern.CLIENT_ID)] | None = Field(
        None, description="default: trt-pose-<device>-<camera>"
    )

    @field_validator("qos")
    @classmethod
    def _refuse_qos_2(cls, qos: int) -> int:
        if qos == 2:
            raise ValueError(
                "QoS 2 loses messages when a connection is restored, and reports them as delivered: "
                "the client library ignores the broker's refusals. Use 1; consumers drop repeats by (boot_id, seq)"
            )
        return qos

    @model_validator(mode="after")
    def _key_belongs_to_certificate(self) -> Self:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is the key of a cert_file, which is not set")
        return self


class VideoConfig(_Section):
    """How annotated videos are written."""

    crf: Annotated[int, Field(ge=0, le=51)] = Field(23, description="x264 quality, 0 best .. 51 worst")
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"] = (
        Field("veryfast", description="x264 preset: slower makes smaller files and takes more of the processor")
    )


class DrawConfig(_Section):
    """How poses are drawn into pictures, videos and windows."""

    boxes: bool = Field(False, description="draw the box around each person")
    labels: bool = Field(True, description="write score and id beside each person")
    min_score: Unit = Field(0.0, description="keypoints below this are not drawn")
    thickness_px: Annotated[int, Field(ge=1, le=64)] | None = Field(None, description="limb width; default: by size")
    trails_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        1.0, description="videos and windows show where each id has been for so long, s; 0: not at all"
    )


class LogConfig(_Section):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severity shown")
    format: Literal["text", "json"] = Field("text", description="one line of text, or one JSON object, per record")


class Config(_Section):
    """Everything `trt-pose run` can be told."""

    device: DeviceConfig = DeviceConfig()
    source: SourceConfig = SourceConfig()
    model: ModelConfig = ModelConfig()
    track: TrackConfig = TrackConfig()
    smooth: SmoothConfig = SmoothConfig()
    gap: GapConfig = GapConfig()
    sinks: tuple[str, ...] = Field((), description="display://, mqtt://host, out.mp4, out.jsonl, out.csv, null://")
    mqtt: MqttConfig = MqttConfig()
    video: VideoConfig = VideoConfig()
    draw: DrawConfig = DrawConfig()
    log: LogConfig = LogConfig()
