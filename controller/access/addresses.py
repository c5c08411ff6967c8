"""The place that an address stands for, where attempts are counted."""

from ipaddress import IPv6Address, ip_address, ip_network


def place_of(address: str) -> str | None:
    """Of IPv6 the /64, which one customer holds; None for what is no address. Pure."""
    try:
        place = ip_address(address)
    except ValueError:
        return None
    if isinstance(place, IPv6Address) and place.ipv4_mapped is None:
        return str(ip_network((place, 64), strict=False))
    return str(getattr(place, "ipv4_mapped", None) or place)
