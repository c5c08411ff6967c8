"""However roots are rotated, no host that comes by within 97 days is ever locked out."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.identity.errors import RotationError
from shared.identity.rotation import MIN_OVERLAP, accept_root, cross_certify
from shared.identity.trust import TrustBundle, read_bundle
from shared.identity.verification import verify_client, verify_late, verify_server
from tests.identities import (
    NODE,
    NOW,
    Hierarchy,
    Holder,
    new_intermediate,
    new_root,
    new_serial,
)

ADDRESS = "127.0.0.1"
LONGEST_DAYS = MIN_OVERLAP.days - 1


@dataclass(slots=True)
class Company:
    """The newest hierarchy, and the bundle that hosts are handed."""

    now: datetime
    hierarchy: Hierarchy = field(init=False)
    bundle: TrustBundle = field(init=False)
    rotations: int = 0

    def __post_init__(self) -> None:
        root = new_root("root 0", self.now)
        self.hierarchy = Hierarchy(root, new_intermediate(root, "issuing 0", self.now))
        self.bundle = self.hierarchy.trust

    def rotate(self) -> None:
        """Tries to; what would lock somebody out is refused, and nothing changes."""
        number = self.rotations + 1
        new = new_root(f"root {number}", self.now)
        came_in_by = self.hierarchy.issuer.cross
        old = type(new)(self.hierarchy.root.key, self.hierarchy.root.certificate, came_in_by)
        try:
            cross = cross_certify(old, new.certificate, self.now, new_serial())
        except RotationError:
            return
        issuing = new_intermediate(new, f"issuing {number}", self.now, (cross,))
        self.hierarchy = Hierarchy(new, issuing)
        self.bundle = accept_root(self.bundle.pruned(self.now), new.certificate, cross, self.now)
        self.rotations = number


@dataclass(slots=True)
class Site:
    """A host: what it pinned and holds."""

    trust: TrustBundle
    holder: Holder

    def come_by(self, company: Company) -> None:
        """Renews, late if need be, and learns of new roots, as over HTTPS."""
        now = company.now
        server = company.hierarchy.server(now=now)
        verify_server(server.chain, self.trust, now, ADDRESS)
        verify_late(self.holder.chain, company.bundle, now, node=NODE)
        offered = read_bundle(company.bundle.pem())
        for root in offered.roots:
            for cross in offered.cross:
                if cross.subject == root.subject and not self.trust.holds(root):
                    self.trust = accept_root(self.trust.pruned(now), root, cross, now)
        self.holder = company.hierarchy.client(now=now)
        verify_client(self.holder.chain, self.trust, now)


@given(st.lists(st.tuples(st.integers(1, LONGEST_DAYS), st.booleans()), min_size=3, max_size=14))
def test_no_host_that_comes_by_in_time_is_locked_out(
    steps: list[tuple[int, bool]],
) -> None:
    company = Company(NOW)
    site = Site(company.hierarchy.trust, company.hierarchy.client())
    for days, rotates in steps:
        if rotates:
            company.rotate()
        company.now += timedelta(days=days)
        if company.now < company.hierarchy.issuer.certificate.not_valid_after_utc:
            site.come_by(company)
    assert site.trust.anchors(company.now)[-1] == company.hierarchy.root.certificate


@given(st.integers(0, 400))
def test_a_rotation_is_refused_exactly_while_the_last_overlap_lasts(days: int) -> None:
    company = Company(NOW)
    company.rotate()
    company.now += timedelta(days=days)
    company.rotate()
    assert company.rotations == (2 if days > 180 else 1)
