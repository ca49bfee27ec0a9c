"""Where a server listens: what cannot be listened at says which of host and port is at fault."""

import pytest

from rarecase.core.errors import ConfigError
from rarecase.web.address import bound


def test_a_port_that_is_taken_is_the_port_and_an_address_elsewhere_is_the_host():
    with bound("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match=r"already in use\); choose another --port$"):
        bound("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"cannot listen at 192\.0\.2\.1:0 \(.*\); choose another --host$"):
        bound("192.0.2.1", 0)  # reserved for documentation
