import re
import sys

from trt_pose_app.config.field import fields, sections
from trt_pose_app.config.load import load_config
from trt_pose_app.config.schema import Config
from trt_pose_app.config.text import config_template, config_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def all_values(config: Config) -> dict[str, object]:
    found = {}
    for name in fields():
        section, _, key = name.rpartition(".")
        found[name] = getattr(getattr(config, section) if section else config, key)
    return found


def test_the_template_as_it_stands_changes_nothing(tmp_path) -> None:
    file = tmp_path / "new.toml"
    file.write_text(config_template(), encoding="utf-8")
    loaded = load_config(file=file)
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}


def test_the_template_with_every_line_activated_is_the_defaults(tmp_path) -> None:
    file = tmp_path / "new.toml"
    active = re.sub(r"(?m)^#(\w+ = )", r"\1", config_template())
    file.write_text(active, encoding="utf-8")
    loaded = load_config(file=file)
    assert loaded.config == Config()
    given = {name for name, origin in loaded.origins.items() if origin != "default"}
    assert given == {name for name, field in fields().items() if field.default is not None}


def test_the_template_describes_every_field() -> None:
    template = config_template()
    for section in sections():
        assert f"\n[{section}]" in template
    for field in fields().values():
        assert field.description, f"{field.name} has no description in the schema"
        assert f"# {field.description}\n# {field.allowed}" in template
        assert re.search(rf"(?m)^#{field.name.rpartition('.')[2]} =", template)


def test_the_template_offers_no_quality_of_service_that_is_refused() -> None:
    assert "# one of 0, 1\n#qos = 0" in config_template()


def test_shown_values_read_back() -> None:
    loaded = load_config(
        sets=["sinks=['a\"b.mp4']", "source.uri=grün\\x.mp4", "draw.min_score=0.25", "source.loop=true"]
    )
    data = tomllib.loads(config_text(all_values(loaded.config), loaded.origins))
    assert Config.model_validate(data) == loaded.config


def test_shown_values_are_masked() -> None:
    loaded = load_config(sets=["sinks=['mqtt://u:pw@host']", "source.uri=rtsp://u:pw and pw@host/x"])
    text = config_text(all_values(loaded.config))
    assert "pw" not in text
    assert 'uri = "rtsp://***@host/x"' in text
    assert 'sinks = ["mqtt://***@host"]' in text
