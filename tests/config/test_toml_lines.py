import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt_pose_app.config.toml_lines import line_of, toml_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TRICKY = '''\
# a comment with [brackets] and = signs
top = 1
"quoted key" = "a # no comment"
'single' = 'C:\\dir\\'
[source]   # header comment
uri = """
[not a header]
width = 1
"""
width = 640
dotted.inner = [1, # comment with ] bracket
  "]", [2,
  3]]
after = { a = 1, b = "}" }
[ mqtt . deep ]
qos = \'\'\'x\'\'\'
last = """four quotes: "\\""""
[[array]]
one = 1979-05-27T07:32:00Z
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("quoted key",), 3),
        (("single",), 4),
        (("source",), 5),
        (("source", "uri"), 6),
        (("source", "width"), 10),
        (("source", "dotted"), 11),
        (("source", "dotted", "inner"), 11),
        (("source", "after"), 14),
        (("mqtt", "deep"), 15),
        (("mqtt", "deep", "qos"), 16),
        (("mqtt", "deep", "last"), 17),
        (("array",), 18),
        (("array", "one"), 19),
        # what has no line of its own takes that of what holds it
        (("source", "after", "b"), 14),
        (("source", "absent"), 5),
        (("absent",), None),
    ],
)
def test_every_key_has_the_line_where_it_is_written(key: tuple[str, ...], line: int | None) -> None:
    tomllib.loads(TRICKY)  # the text is TOML
    assert line_of(toml_lines(TRICKY), key) == line


def test_no_other_keys_are_found() -> None:
    assert len(toml_lines(TRICKY)) == 14


KEYS = st.text("abc_-9", min_size=1, max_size=4)
VALUES = st.recursive(
    st.sampled_from(["1", "true", '"#[x=1"', "'''\n'\n'''", '"""\n"x"\n"""', "1.5e3", "'\\'", '"\\""']),
    lambda inner: st.lists(inner, max_size=3).map(lambda v: "[" + ", # ]\n".join([*v, ""]) + "]"),
    max_leaves=5,
)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=8, unique_by=lambda pair: pair[0]))
def test_keys_of_any_statements_are_found_on_their_lines(pairs: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for key, value in pairs:
        text += "\n# x = 1\n"
        expected[(key,)] = text.count("\n") + 1
        text += f"{key} = {value} # y = 2\n"
    assert list(tomllib.loads(text)) == [key for key, _ in pairs]
    assert toml_lines(text) == expected


@given(st.text(alphabet="[]{}\"'=.#\n\\ab1 ", max_size=60))
def test_it_ends_for_any_text(text: str) -> None:
    toml_lines(text)
