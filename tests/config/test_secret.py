import pytest

from trt_pose_app.config.secret import mask_credentials


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("rtsp://admin:secret@10.0.0.5:554/live", "rtsp://***@10.0.0.5:554/live"),
        ("cannot open 'mqtts://user@host:8883'", "cannot open 'mqtts://***@host:8883'"),
        ("two rtsp://a:b@h and mqtt://c:d@k", "two rtsp://***@h and mqtt://***@k"),
        # passwords with characters that should have been escaped
        ("rtsp://admin:p@ss/w0rd@host/x", "rtsp://***@host/x"),
        ("rtsp://admin:12/34@host/x", "rtsp://***@host/x"),
        # cameras that take them as parameters
        ("rtsp://host/live?user=a&password=secret&channel=1", "rtsp://host/live?user=a&password=***&channel=1"),
        ("http://host/x?api_key=123", "http://host/x?api_key=***"),
        # nothing to hide
        ("http://host:8080/a?b=c", "http://host:8080/a?b=c"),
        ("https://host/@handle", "https://host/@handle"),
        ("csi://0, mail me@home.org, 3 @ 4", "csi://0, mail me@home.org, 3 @ 4"),
        ("password_file = 'secret.txt'", "password_file = 'secret.txt'"),
    ],
)
def test_credentials_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_credentials(text) == masked
    assert mask_credentials(masked) == masked
