from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from trt_pose_app.errors import ModelSpecError
from trt_pose_app.models.zoo import ZooEntry, parse_zoo, read_zoo

ENTRIES = list(read_zoo().values())
GOOD = """
[net]
kind = "paf"
format = "pth"
skeleton = "coco18"
width = 224
height = 224
licence = "MIT"
source = "https://example.org"
urls = ["https://example.org/net.pth"]
"""


def test_the_zoo_has_what_people_ask_for() -> None:
    assert {
        "resnet18_baseline_att_224x224_A",
        "densenet121_baseline_att_256x256_B",
        "hand_pose_resnet18_att_244_244",
        "openpose-vgg-scratch",
        "openpose-vgg-cmu",
        *(
            f"rtmpose-{size}-{points}{kind}"
            for size in "tsml"
            for points in ("coco17", "halpe26")
            for kind in ("", "-pth")
        ),
        "rtmdet-nano-person",
        "rtmdet-m-person",
        "mobilenetv2-heatmap",
    } <= read_zoo().keys()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_plausible(entry: ZooEntry) -> None:
    assert (entry.skeleton is None) == (entry.kind == "detector")
    assert len(set(entry.urls)) == len(entry.urls)
    for url in entry.urls:
        assert urlsplit(url).scheme == "https"
        suffix = urlsplit(url).path.rpartition(".")[2]
        assert suffix == entry.format or (suffix, entry.format) == ("zip", "onnx")
    if entry.archive_sha256 is not None:
        assert entry.urls[0].endswith(".zip")
    if entry.sha256_prefix is not None:  # it is the one in the publisher's file name
        assert all(entry.sha256_prefix in url for url in entry.urls)
        assert entry.sha256 is None
    if entry.kind == "simcc":
        assert f"{entry.height}x{entry.width}" in entry.urls[0]


def test_no_checksum_stands_twice() -> None:
    known = [sum_ for entry in ENTRIES for sum_ in (entry.sha256, entry.archive_sha256) if sum_ is not None]
    assert len(set(known)) == len(known) >= 8


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('kind = "paf"', 'kind = "x"', "net.kind"),
        ('"coco18"', '"coco19"', "net.skeleton: none of coco17"),
        ('licence = "MIT"', 'licence = ""', "net.licence"),
        ('licence = "MIT"', "", "net.licence: is missing"),
        ('licence = "MIT"', 'licence = "MIT"\nsize = 3', "net.size: unknown field"),
        ('licence = "MIT"', 'licence = "MIT"\nsha256 = "05d8511e"', "net.sha256"),
        ('["https://example.org/net.pth"]', "[]", "net.urls"),
        ('"https://example.org/net.pth"', '"ftp://example.org/net.pth"', "net.urls.0"),
        ('"https://example.org/net.pth"', '"https://user:secret@example.org/net.pth"', "without a user name"),
        ("[net]", "[net", "is not TOML"),
        ("[net]", "stray = 1\n[net]", "stray is no table"),
        ("[net]", '["a b"]', "a b.name"),
    ],
)
def test_each_mistake_is_named(old: str, new: str, reason: str) -> None:
    assert parse_zoo(GOOD, "zoo.toml").keys() == {"net"}
    with pytest.raises(ModelSpecError) as caught:
        parse_zoo(GOOD.replace(old, new), "zoo.toml")
    assert reason in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)
