from pathlib import Path

import pytest

from trt_pose_app.config.field import fields
from trt_pose_app.config.load import load_config
from trt_pose_app.config.schema import Config
from trt_pose_app.errors import ConfigError


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "pose.toml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(**layers: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(**layers)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    assert ("config init" in caught.value.hint) == ("no such field or section" in caught.value.message)
    assert caught.value.__context__ is None  # pydantic's error quotes passwords
    lines = caught.value.message.split("\n  ")
    return lines[1:] if len(lines) > 1 else lines


def test_without_any_layer_the_defaults_hold() -> None:
    loaded = load_config()
    assert loaded.config == Config()
    assert loaded.origins == dict.fromkeys(fields(), "default")


def test_each_layer_wins_over_those_before_it(tmp_path: Path) -> None:
    file = written(tmp_path, "[draw]\nmin_score = 0.1\n[source]\nwidth = 1\n[video]\ncrf = 1\n[mqtt]\noutbox = 1\n")
    env = {"TRT_POSE__SOURCE__WIDTH": "20", "TRT_POSE__VIDEO__CRF": "2", "TRT_POSE__MQTT__OUTBOX": "2"}
    sets = ["video.crf=3", "mqtt.outbox=3"]
    flags = {"mqtt.outbox": ("--outbox", 4), "model.threads": ("--threads", None)}
    loaded = load_config(file=file, env=env, sets=sets, flags=flags)
    config, origins = loaded.config, loaded.origins
    assert (config.model.threads, origins["model.threads"]) == (0, "default")
    assert (config.draw.min_score, origins["draw.min_score"]) == (0.1, f"file {file}:2")
    assert (config.source.width, origins["source.width"]) == (20, "env TRT_POSE__SOURCE__WIDTH")
    assert (config.video.crf, origins["video.crf"]) == (3, "--set")
    assert (config.mqtt.outbox, origins["mqtt.outbox"]) == (4, "flag --outbox")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("source.fps=29.97", 29.97),
        ("source.loop=true", True),
        ("source.width=1_280", 1280),
        ("sinks=['out.mp4', \"out.jsonl\"]", ("out.mp4", "out.jsonl")),
        ("model.spec=specs/own.toml", Path("specs/own.toml")),
        # plain text where TOML would want quotes, also if it looks like a number, date or truth value
        ("source.uri=rtsp://host/a=b,c", "rtsp://host/a=b,c"),
        ("model.input_size=368", "368"),
        ("device.id=007", "007"),
        ("mqtt.username=true", "true"),
        ("device.camera=2026-11-20", "2026-11-20"),
        ('source.uri="quoted.mp4"', "quoted.mp4"),
        ("source.uri=1\nwidth = 2", "1\nwidth = 2"),  # one value cannot smuggle in another
        # an empty text brings the default back
        ("model.name=", "pose-nano"),
    ],
)
def test_texts_of_env_and_set_become_values(text: str, value: object) -> None:
    name, _, given = text.partition("=")
    variable = f"TRT_POSE__{name.upper().replace('.', '__')}"
    for loaded in (load_config(sets=[text]), load_config(env={variable: given})):
        found = loaded.config
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value
        assert type(found) is type(value) or isinstance(value, Path)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("model.input_size=big", "must be a height such as 256, or height x width such as 256x456 ("),
        ("device.id=my board", "must be letters, digits, . _ -, with a letter or digit first ("),
        ("mqtt.topic_prefix=a/#", "must be levels of a topic such as site/cameras, without + and #"),
        ("mqtt.client_id=a\0", "must be 1 to 200 characters ("),
        ("mqtt.qos=2", "QoS 2 loses messages"),
    ],
)
def test_forms_are_told_in_words(setting: str, said: str) -> None:
    (mistake,) = mistakes(sets=[setting])
    assert said in mistake
    assert "^" not in mistake


def test_empty_text_undoes_a_layer_below(tmp_path: Path) -> None:
    file = written(tmp_path, "[source]\nwidth = 640\n")
    assert load_config(file=file, sets=["source.width="]).config.source.width is None


def test_other_variables_of_ours_are_left_alone() -> None:
    env = {"TRT_POSE_MODELS": "/models", "TRT_POSE_NATIVE": "0", "TRT_POSE_CONFIG": "x.toml", "HOME": "/"}
    assert load_config(env=env).config == Config()


def test_all_mistakes_are_listed_with_place_guess_and_allowed_values(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """\
sinks = ["out.jsonl",
  3]
[sorce]
uri = "x"
[source]
widht = 3
fps = "fast"
[mqtt]
qos = 7
[draw]
thickness_px = 99
""",
    )
    found = mistakes(
        file=file,
        env={"TRT_POSE__MODEL__NAMES": "x", "TRT_POSE__SOURCE": "1", "TRT_POSE__DRAW__BOXES": "maybe"},
        sets=["width=3", "loop"],
        flags={"log.level": ("--log-level", "loud")},
    )
    expected = [
        (f"{file}:1", "sinks[1] = 3: must be text (display://"),
        (f"{file}:3", "sorce: no such field or section; did you mean source?"),
        (f"{file}:6", "source.widht: no such field or section; did you mean source.width?"),
        (f"{file}:7", "source.fps = 'fast': must be a number, above 0, at most 1000 (capture rate"),
        (f"{file}:9", "mqtt.qos = 7: must be one of 0, 1 ("),
        (f"{file}:11", "draw.thickness_px = 99: must be a whole number, 1 .. 64 (limb width"),
        ("TRT_POSE__DRAW__BOXES", "draw.boxes = 'maybe': must be true or false (draw the box"),
        ("TRT_POSE__MODEL__NAMES", "model.names: no such field or section; did you mean model.name?"),
        ("TRT_POSE__SOURCE", "source is a section: name one of its fields"),
        ("--set", "loop: write section.field=value"),
        ("--set", "width: no such field or section; did you mean source.width?"),
        ("--log-level", "log.level = 'loud': must be one of debug, info, warning, error (least severity"),
    ]
    assert len(found) == len(expected)
    for where, text in expected:
        assert any(line.startswith(f"{where}: {text}") for line in found), (where, text, found)
    assert found[:6] == sorted(found[:6], key=lambda line: int(line.split(":")[1]))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[source]\nuri = rtsp://x\n", 2, "not TOML at column"),
        ("a = 1\nb = [1,\n", 2, "not TOML"),
        ("[source]\nfps = 1\nfps = 2\n", 3, "not TOML"),
        ("[source]\n[source]\n", 2, "not TOML"),
        ("[[source]]\nfps = 1\n", 1, "source is a section, given twice or more: write [source] once"),
        ("\nsource = 3\n", 2, "source is a section, given as 3: write [source] once"),
        ("a = " + "[" * 5000, 1, "not TOML"),
        ("[x]\ny = " + "9" * 5000, 2, "x: no such"),
    ],
)
def test_broken_files_name_the_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = written(tmp_path, text)
    (mistake,) = mistakes(file=file)
    if "9999" in text:  # newer interpreters refuse such a number while reading
        assert mistake.startswith(str(file))
    else:
        assert mistake.startswith(f"{file}:{line}: {said}")


def test_unreadable_files_say_why(tmp_path: Path) -> None:
    assert "No such file" in mistakes(file=tmp_path / "absent.toml")[0]
    assert "directory" in mistakes(file=tmp_path)[0]
    file = tmp_path / "latin.toml"
    file.write_bytes("# fine\n# gr\xfcn\n".encode("latin-1"))
    assert mistakes(file=file) == [f"{file}:2: is not UTF-8 text"]


def test_files_from_windows_load(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbf[source]\r\nfps = 25\r\n")
    assert load_config(file=file).origins["source.fps"] == f"file {file}:2"


def test_rules_between_fields_name_the_lines_involved(tmp_path: Path) -> None:
    file = written(tmp_path, '[mqtt]\nkey_file = "key.pem"\n')
    (mistake,) = mistakes(file=file)
    assert mistake.startswith(f"{file}:2: mqtt: ")
    assert "cert_file" in mistake


def test_credentials_stay_out_of_mistakes(tmp_path: Path) -> None:
    secret = "rtsp://user:hunter2 and@camera/live"
    file = written(tmp_path, f'[source]\nwidth = "{secret}"\n[log]\nlevel = "{secret}"\n[draw]\n"{secret}" = 1\n')
    env = {"TRT_POSE__DRAW__BOXES": secret}
    found = mistakes(file=file, env=env, sets=[secret, f"model.threads={secret}", f"{secret}=1"])
    assert len(found) == 7
    assert "hunter2" not in "".join(found)
