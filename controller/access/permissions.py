"""Who may do what: the one table of permissions and roles, and the rule that reads it.

Routes, `docs/permissions.md` (`python -m controller.access.documents`) and the tests take it from
here; nothing else decides. A grant is a role on a scope. No I/O, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from shared.errors import BadInputError

_MAX_ID = 63
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


class Permission(StrEnum):
    """What a route may ask for."""

    ACCOUNT_OWN = "account.own"
    FLEET_READ = "fleet.read"
    FLEET_CHANGE = "fleet.change"
    EVENTS_READ = "events.read"
    COMMANDS_READ = "commands.read"
    COMMANDS_ISSUE = "commands.issue"
    NODES_ENROL = "nodes.enrol"
    NODES_CONFIRM = "nodes.confirm"
    NODES_REVOKE = "nodes.revoke"
    ENROLMENT_READ = "enrolment.read"
    RETENTION_READ = "retention.read"
    RETENTION_CHANGE = "retention.change"
    HOLDS_READ = "holds.read"
    HOLDS_CHANGE = "holds.change"
    AUDIT_READ = "audit.read"
    SECURITY_READ = "security.read"
    SECURITY_CHANGE = "security.change"
    APPROVALS_READ = "approvals.read"
    APPROVALS_REQUEST = "approvals.request"
    APPROVALS_DECIDE = "approvals.decide"
    USERS_READ = "users.read"
    USERS_CHANGE = "users.change"


class Role(StrEnum):
    """What a person or a service account is granted on a scope."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    TREASURER = "treasurer"
    COMPLIANCE_OFFICER = "compliance_officer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class ScopeKind(StrEnum):
    """How far a grant reaches; the company holds every site and wallet."""

    COMPANY = "company"
    SITE = "site"
    WALLET = "wallet"


@dataclass(frozen=True, slots=True)
class Scope:
    """The company, one site or one wallet."""

    kind: ScopeKind
    id: str = ""

    def covers(self, other: "Scope") -> bool:
        """Whether what is granted here holds there."""
        return self.kind is ScopeKind.COMPANY or self == other

    def __str__(self) -> str:
        return self.kind.value if self.kind is ScopeKind.COMPANY else f"{self.kind.value}:{self.id}"


COMPANY = Scope(ScopeKind.COMPANY)


def site_scope(site_id: str) -> Scope:
    """The scope of one site."""
    return Scope(ScopeKind.SITE, site_id)


def wallet_scope(wallet_id: str) -> Scope:
    """The scope of one wallet."""
    return Scope(ScopeKind.WALLET, wallet_id)


def parse_scope(text: str) -> Scope:
    """`company`, `site:ID` or `wallet:ID`; `BadInputError` for anything else."""
    kind, separator, name = text.partition(":")
    if text == ScopeKind.COMPANY.value:
        return COMPANY
    known = separator and kind in {ScopeKind.SITE.value, ScopeKind.WALLET.value}
    if not known or not 0 < len(name) <= _MAX_ID or not set(name) <= _ID_CHARACTERS:
        raise BadInputError("scope", repr(text[:80]), "company, site:ID or wallet:ID")
    return Scope(ScopeKind(kind), name)


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on a scope."""

    role: Role
    scope: Scope


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a permission lets one do, and the scopes on which it can be granted.

    A permission for the company only is not given by a role on a site or wallet.
    """

    text: str
    scopes: frozenset[ScopeKind] = frozenset({ScopeKind.COMPANY})


_SITES = frozenset({ScopeKind.COMPANY, ScopeKind.SITE})
_WALLETS = frozenset({ScopeKind.COMPANY, ScopeKind.SITE, ScopeKind.WALLET})

MEANINGS: Mapping[Permission, Meaning] = MappingProxyType(
    {
        Permission.ACCOUNT_OWN: Meaning(
            "see and change one's own password, second factors, sessions and tokens", _WALLETS
        ),
        Permission.FLEET_READ: Meaning(
            "see sites, nodes, devices, readings, gaps and alarms, and the live page", _SITES
        ),
        Permission.FLEET_CHANGE: Meaning("rename a site", _SITES),
        Permission.EVENTS_READ: Meaning("see what nodes report", _SITES),
        Permission.COMMANDS_READ: Meaning("see orders and what became of them", _SITES),
        Permission.COMMANDS_ISSUE: Meaning("give an order to a node", _SITES),
        Permission.NODES_ENROL: Meaning("make and withdraw enrolment tokens", _SITES),
        Permission.NODES_CONFIRM: Meaning("confirm the fingerprint of a host's key", _SITES),
        Permission.NODES_REVOKE: Meaning("revoke a node's certificate", _SITES),
        Permission.ENROLMENT_READ: Meaning("see enrolments and certificates", _SITES),
        Permission.RETENTION_READ: Meaning("see how long data is kept"),
        Permission.RETENTION_CHANGE: Meaning("change how long data is kept"),
        Permission.HOLDS_READ: Meaning("see legal holds"),
        Permission.HOLDS_CHANGE: Meaning("place and release legal holds"),
        Permission.AUDIT_READ: Meaning("read and export the audit log with its proofs"),
        Permission.SECURITY_READ: Meaning("see security events"),
        Permission.SECURITY_CHANGE: Meaning("mark security events as seen"),
        Permission.APPROVALS_READ: Meaning("see what waits for approval", _WALLETS),
        Permission.APPROVALS_REQUEST: Meaning("ask for an approval", _WALLETS),
        Permission.APPROVALS_DECIDE: Meaning(
            "approve or decline, with a key of one's own", _WALLETS
        ),
        Permission.USERS_READ: Meaning("see accounts and what they are granted"),
        Permission.USERS_CHANGE: Meaning(
            "add and disable accounts, grant roles, unlock, reset second factors"
        ),
    }
)

_P = Permission
_VIEWER = frozenset({_P.ACCOUNT_OWN, _P.FLEET_READ, _P.EVENTS_READ, _P.COMMANDS_READ})
_APPROVER = frozenset({_P.APPROVALS_READ, _P.APPROVALS_REQUEST, _P.APPROVALS_DECIDE})

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.OPERATOR: _VIEWER
        | _APPROVER
        | {_P.FLEET_CHANGE, _P.COMMANDS_ISSUE, _P.ENROLMENT_READ, _P.NODES_CONFIRM}
        | {_P.RETENTION_READ, _P.SECURITY_READ},
        Role.TREASURER: _VIEWER | _APPROVER,
        Role.COMPLIANCE_OFFICER: _VIEWER
        | _APPROVER
        | {_P.RETENTION_READ, _P.HOLDS_READ, _P.HOLDS_CHANGE, _P.AUDIT_READ}
        | {_P.SECURITY_READ, _P.SECURITY_CHANGE, _P.USERS_READ},
        Role.AUDITOR: _VIEWER
        | {_P.RETENTION_READ, _P.HOLDS_READ, _P.AUDIT_READ, _P.SECURITY_READ}
        | {_P.APPROVALS_READ, _P.USERS_READ, _P.ENROLMENT_READ},
        Role.ADMINISTRATOR: _VIEWER
        | _APPROVER
        | {_P.FLEET_CHANGE, _P.NODES_ENROL, _P.NODES_CONFIRM, _P.NODES_REVOKE, _P.ENROLMENT_READ}
        | {_P.RETENTION_READ, _P.RETENTION_CHANGE, _P.HOLDS_READ, _P.AUDIT_READ}
        | {_P.SECURITY_READ, _P.SECURITY_CHANGE, _P.USERS_READ, _P.USERS_CHANGE},
    }
)


def gives(grant: Grant, permission: Permission) -> bool:
    """Whether the grant's role has the permission and the permission fits the grant's scope."""
    return permission in ROLES[grant.role] and grant.scope.kind in MEANINGS[permission].scopes


def allows(grants: Iterable[Grant], permission: Permission, scope: Scope) -> bool:
    """Whether any grant gives the permission on the scope."""
    return any(gives(grant, permission) and grant.scope.covers(scope) for grant in grants)


def allows_somewhere(grants: Iterable[Grant], permission: Permission) -> bool:
    """Whether any grant gives the permission on any scope at all."""
    return any(gives(grant, permission) for grant in grants)


def granted_ids(
    grants: Iterable[Grant], permission: Permission, kind: ScopeKind
) -> frozenset[str] | None:
    """The ids of the sites (or wallets) on which the permission is given; None: on every one."""
    ids = set()
    for grant in grants:
        if gives(grant, permission):
            if grant.scope.kind is ScopeKind.COMPANY:
                return None
            if grant.scope.kind is kind:
                ids.add(grant.scope.id)
    return frozenset(ids)
