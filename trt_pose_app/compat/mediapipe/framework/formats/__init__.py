"""``mediapipe.framework.formats``: the messages."""
