"""Where a server listens."""

import errno
import socket
from ipaddress import ip_address

from rarecase.core.errors import ConfigError


def is_loopback(address: str) -> bool:
    """Whether an IP address is one of this machine's own."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there."""
    if not 0 <= port <= 65535:
        raise ConfigError(f"--port {port}: expected 0 to 65535")
    # With its protocol named, asyncio sends each part of an answer at once; else every answer waits 40 ms for an ACK.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, TypeError) as error:  # the second of what cannot be encoded as the name of a host
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else "no name of a host"
        is_port = isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES)
        other = "--port" if is_port else "--host"
        raise ConfigError(f"cannot listen at {host}:{port} ({reason}); choose another {other}") from None
    return listening


def address_of(listening: socket.socket, host: str) -> str:
    """The URL of a server that listens there; of one at all addresses, by the name of this machine."""
    shown = socket.gethostname() if ip_address(listening.getsockname()[0]).is_unspecified else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}"
