"""Which addresses may carry a secret."""

import pytest

from shared.addresses import is_loopback, private_url
from shared.errors import BadInputError


@pytest.mark.parametrize(
    "url",
    [
        "https://controller.example",
        "https://controller.example:8443/api",
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
        "http://127.8.0.9",
    ],
)
def test_https_and_this_machine_are_private(url: str) -> None:
    assert private_url(url).geturl() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://controller.example",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "http://10.0.0.1",
        "ftp://127.0.0.1",
        "https://",
        "//controller.example",
        "https://name@controller.example",
        "https://:word@controller.example",
        "https://controller.example#there",
        "https://controller.example:notaport",
        "https://[::1",
        "",
    ],
)
def test_any_other_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(BadInputError) as refused:
        private_url(url, "webhook.url")
    assert refused.value.field == "webhook.url"


def test_only_loopback_never_leaves_the_machine() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")  # noqa: S104  # it is refused here
    assert not is_loopback("::")
    assert not is_loopback("localhost.example")
