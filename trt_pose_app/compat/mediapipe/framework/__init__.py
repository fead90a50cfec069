"""``mediapipe.framework``: the messages."""
