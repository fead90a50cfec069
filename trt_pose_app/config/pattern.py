"""The forms that texts must have, as regular expressions for the schemas and in words for people."""

from __future__ import annotations

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
INPUT_SIZE = r"^\d+(x\d+)?$"
TOPIC_PREFIX = r"^[^+#$/\x00][^+#/\x00]*(/[^+#/\x00]+)*$"
CLIENT_ID = r"^[^\x00]{1,200}$"
SHA256 = r"^[0-9a-f]{64}$"
SHA256_PREFIX = r"^[0-9a-f]{8}$"

IN_WORDS = {
    NAME: "letters, digits, . _ -, with a letter or digit first",
    INPUT_SIZE: "a height such as 256, or height x width such as 256x456",
    TOPIC_PREFIX: "levels of a topic such as site/cameras, without + and #, not beginning with / or $",
    CLIENT_ID: "1 to 200 characters",
    SHA256: "64 hexadecimal digits, in lower case",
    SHA256_PREFIX: "8 hexadecimal digits, in lower case",
}
