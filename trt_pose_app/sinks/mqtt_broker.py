"""Which broker is meant, and with what proof of identity: everything that a connection needs to know beforehand."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from trt_pose_app.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from trt_pose_app.config.schema import MqttConfig

logger = logging.getLogger(__name__)

_DEFAULT_PORT = {"mqtt": 1883, "mqtts": 8883}
_GRAMMAR = "write mqtt://[user@]host[:1883] or mqtts://[user@]host[:8883]"


@dataclass(frozen=True, slots=True)
class Broker:
    """Address and credentials. ``str`` is host:port and never shows the latter."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Socket(ssl.SSLSocket):
    """One that closes itself after a failed handshake, which paho forgets to do."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def find_broker(uri: str, config: MqttConfig) -> Broker:
    """Return the broker that ``uri`` names, with the credentials and certificates of ``config``.

    Raises ConfigError with all that is wrong. No part of the address is repeated in it: where a password with an
    unescaped ``/`` or ``@`` was pasted, any part may hold a piece of that password.
    """
    parts = _split(uri)
    if parts is None or parts.scheme not in _DEFAULT_PORT:
        raise ConfigError("not an MQTT address", hint=_GRAMMAR)
    problems = []
    host = parts.hostname or ""
    port = _port(parts)
    if not host:
        problems.append("no host")
    elif not _encodable(host):
        problems.append("the host is no valid name")
    if port is None:
        problems.append("the port is no number from 1 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        problems.append("something follows host and port")
    username = config.username if config.username is not None else _unquoted(parts.username)
    password = _unquoted(parts.password)
    if config.password_file is not None:
        password, problem = _first_line(config.password_file)
        problems += [problem] if problem else []
    elif password is not None:
        logger.warning("the MQTT password stands in the address, where other users can see it: use mqtt.password_file")
    if username == "" or (password is not None and username is None):
        problems.append("a password or an @ without a user name")
    tls = None
    if parts.scheme == "mqtts":
        tls, problem = _tls_context(config)
        problems += [problem] if problem else []
    elif config.ca_file or config.cert_file or config.key_file:
        problems.append("mqtt.ca_file, cert_file and key_file need mqtts://")
    if problems or port is None:
        escape = "; write @ / : ? # inside a password as %40 %2F %3A %3F %23, or use mqtt.password_file"
        raise ConfigError(
            f"bad MQTT address or options: {'; '.join(problems)}", hint=_GRAMMAR + (escape if "@" in uri else "")
        )
    return Broker(host, port, username, password, tls)


def connect_hint(broker: Broker, error: OSError) -> str:
    """Return what to do about a connection that failed, or nothing where the error says enough."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "check mqtt.ca_file, the host name in the broker's certificate and the clock"
    if broker.tls is not None and isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return "the port may not speak TLS: use mqtt:// or the broker's TLS port, usually 8883"
    return ""


def _split(uri: str) -> SplitResult | None:
    # The texts of urllib's errors quote the address: they must not even become the context of ours.
    try:
        return urlsplit(uri)
    except ValueError:
        return None


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        return None
    return _DEFAULT_PORT[parts.scheme] if port is None else port or None


def _encodable(host: str) -> bool:
    # The resolver would raise ValueError, not OSError, in the middle of a run.
    if not host.isprintable() or " " in host:
        return False
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _unquoted(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _first_line(path: Path) -> tuple[str | None, str | None]:
    """Return (password, None) or (None, what is wrong)."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        return None, f"mqtt.password_file cannot be read ({type(error).__name__}): {path}"
    if not lines or not lines[0]:
        return None, f"the first line of mqtt.password_file is empty: {path}"
    return lines[0], None


def _tls_context(config: MqttConfig) -> tuple[ssl.SSLContext | None, str | None]:
    """Return (context, None), which checks certificate and host name, or (None, what is wrong)."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        return None, f"mqtt.ca_file holds no certificates ({type(error).__name__}): {config.ca_file}"
    context.sslsocket_class = _Socket
    if config.cert_file is not None:
        try:
            # An empty password, so that an encrypted key is refused instead of asking at a terminal.
            context.load_cert_chain(config.cert_file, config.key_file, password="")
        except (OSError, ssl.SSLError) as error:
            return None, (
                f"mqtt.cert_file and key_file are not a certificate and its unencrypted key ({type(error).__name__}): "
                f"{config.cert_file}, {config.key_file or config.cert_file}"
            )
    return context, None
