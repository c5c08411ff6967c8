"""The pure rules of access, over whatever they may be given."""

from hypothesis import given
from hypothesis import strategies as st

from controller.access import csrf, throttle
from controller.access.factors import matching_step
from controller.access.permissions import (
    COMPANY,
    MEANINGS,
    ROLES,
    Grant,
    Permission,
    Role,
    Scope,
    ScopeKind,
    allows,
    allows_somewhere,
    granted_ids,
    parse_scope,
)
from controller.access.session_life import SessionLimits, SessionTimes, Stage, Verdict, judge
from controller.access.throttle import Limit, Strikes, after_attempt, locked_for_ms

IDS = st.sampled_from(["a", "b", "c"])
SCOPES = st.one_of(
    st.just(COMPANY),
    st.builds(Scope, st.sampled_from([ScopeKind.SITE, ScopeKind.WALLET]), IDS),
)
GRANTS = st.lists(st.builds(Grant, st.sampled_from(Role), SCOPES), max_size=5)
PERMISSIONS = st.sampled_from(Permission)
TIMES = st.integers(0, 10**9)
LIMIT = Limit(failures=5, window_ms=1_000, lock_ms=2_000, longest_ms=60_000)


@given(GRANTS, PERMISSIONS, SCOPES)
def test_nothing_is_allowed_that_no_role_of_a_grant_gives(
    grants: list[Grant], permission: Permission, scope: Scope
) -> None:
    if allows(grants, permission, scope):
        assert any(
            permission in ROLES[grant.role] and grant.scope in {COMPANY, scope} for grant in grants
        )


@given(GRANTS, GRANTS, PERMISSIONS, SCOPES)
def test_another_grant_never_takes_anything_away(
    grants: list[Grant], more: list[Grant], permission: Permission, scope: Scope
) -> None:
    if allows(grants, permission, scope):
        assert allows([*grants, *more], permission, scope)


@given(GRANTS, PERMISSIONS, IDS)
def test_the_ids_in_reach_are_those_that_are_allowed(
    grants: list[Grant], permission: Permission, site_id: str
) -> None:
    ids = granted_ids(grants, permission, ScopeKind.SITE)
    allowed = allows(grants, permission, Scope(ScopeKind.SITE, site_id))
    assert allowed == (ids is None or site_id in ids)


@given(GRANTS, PERMISSIONS)
def test_a_permission_for_the_company_is_had_on_the_company_or_not_at_all(
    grants: list[Grant], permission: Permission
) -> None:
    if MEANINGS[permission].scopes == {ScopeKind.COMPANY}:
        assert allows_somewhere(grants, permission) == allows(grants, permission, COMPANY)


@given(SCOPES)
def test_a_scope_is_read_as_it_is_written(scope: Scope) -> None:
    assert parse_scope(str(scope)) == scope


@given(st.lists(st.integers(0, 300), min_size=1, max_size=60))
def test_no_window_holds_more_judged_attempts_than_the_limit(gaps: list[int]) -> None:
    now, state, judged = 0, Strikes(), list[int]()
    for gap in gaps:
        now += gap
        if not locked_for_ms(state, now):
            judged.append(now)
        state = after_attempt(state, LIMIT, now)
    for start in judged:
        within = [at for at in judged if start <= at < start + LIMIT.window_ms]
        assert len(within) < 2 * LIMIT.failures


@given(st.integers(1, 30), TIMES)
def test_lock_outs_grow_and_stay_bounded(rounds: int, start: int) -> None:
    state, now, last = Strikes(), start, 0
    for _ in range(rounds):
        while not locked_for_ms(state, now):
            state = after_attempt(state, LIMIT, now)
        lock = locked_for_ms(state, now)
        assert last <= lock <= LIMIT.longest_ms
        now, last = now + lock, lock


@given(TIMES)
def test_a_right_attempt_leaves_no_trace_where_it_was_the_only_one(now: int) -> None:
    before = Strikes(since_ms=now)
    after = after_attempt(before, LIMIT, now)
    assert throttle.taken_back(before, after, after) == before


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=80))
def test_right_attempts_at_the_same_time_let_no_more_wrong_ones_be_judged(
    steps: list[tuple[bool, int]],
) -> None:
    """Right ones begin and end in any order among wrong ones, all within one lock."""
    state, wrong, open_now = Strikes(), 0, dict[int, tuple[Strikes, Strikes]]()
    for is_wrong, number in steps:
        if not is_wrong and number in open_now:
            state = throttle.taken_back(*open_now.pop(number), state)
        elif not locked_for_ms(state, 0):
            before, state = state, after_attempt(state, LIMIT, 0)
            if is_wrong:
                wrong += 1
            else:
                open_now[number] = (before, state)
    assert wrong <= LIMIT.failures
    if wrong == LIMIT.failures:
        assert locked_for_ms(state, 0)


@given(st.sampled_from(Stage), TIMES, TIMES, TIMES, TIMES)
def test_a_session_never_outlives_its_limits(
    stage: Stage, created: int, seen: int, rotated: int, now: int
) -> None:
    limits = SessionLimits()
    verdict = judge(stage, SessionTimes(created, seen, rotated), limits, now)
    if verdict is not Verdict.ENDED:
        assert now - created < limits.absolute_ms
        assert now - seen < limits.idle_ms
        if stage is Stage.PASSWORD:
            assert now - created < limits.awaiting_factor_ms


@given(st.text(max_size=10), st.integers(1, 2**33), st.integers(0, 2**28))
def test_a_totp_step_is_never_one_already_used(code: str, now_s: int, last: int) -> None:
    step = matching_step("JBSWY3DPEHPK3PXP" * 2, code, now_s, last)
    assert step is None or step > last


@given(st.none() | st.text(max_size=20), st.none() | st.text(max_size=30), st.text(max_size=40))
def test_a_change_is_taken_only_with_our_origin_and_the_session_s_token(
    site: str | None, origin: str | None, token: str
) -> None:
    own = "https://bes.example"
    if csrf.forged(csrf.Claims(site, origin), own, token, "expected") is None:
        assert token == "expected"
        assert site in {None, "same-origin"}
        assert origin in {None, own}
        assert (site, origin) != (None, None)
