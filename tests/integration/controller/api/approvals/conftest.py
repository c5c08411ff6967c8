"""The interface with rules that ask for approvals, and people who have sessions and keys."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from controller.access import sessions
from controller.access.approvals.config import ApprovalsConfig, CommandRule, PolicyRule
from controller.access.session_life import Stage
from controller.access.sessions import Visitor
from controller.approved_acts import approval_desk
from controller.config import ControllerConfig, DatabaseConfig
from controller.storage.engine import Storage
from tests.approvers import PARTY
from tests.fleets import Fleet
from tests.integration.controller.api.conftest import StoppedClock
from tests.offices import APPROVERS, Office

RULES = ApprovalsConfig(
    command=(
        CommandRule(
            name="stop-a-whole-site",
            action="setpoint",
            setpoint="stop",
            device="site",
            people=APPROVERS,
            quorum=2,
            lifetime_s=3_600,
        ),
    ),
    policy=(PolicyRule(name="keep-evidence", policy="retention", people=("alice", "bob")),),
    origins=PARTY.origins,
)

SignedIn = Callable[[str], TestClient]


@pytest.fixture
def application(application: FastAPI) -> FastAPI:
    """With the rules."""
    context = application.state.context
    config = ControllerConfig(database=DatabaseConfig(url="sqlite://"), approvals=RULES)
    desk = approval_desk(config, context.clock, context.desk)
    application.state.context = replace(context, approvals=desk)
    return application


@pytest.fixture
def office(storage: Storage, clock: StoppedClock, application: FastAPI, fleet: Fleet) -> Office:
    """Everybody is there, and the fleet too."""
    return Office(storage, clock, application.state.context.approvals).open()


@pytest.fixture
def signed_in(application: FastAPI, office: Office) -> SignedIn:
    """Makes a client in a session of somebody's, as the page is one."""

    def client(name: str) -> TestClient:
        with office.storage.write() as conn:
            opened = sessions.open_session(
                conn, office.users[name], Stage.FULL, Visitor("", "test"), office.clock.real_ms()
            )
        headers = {"Origin": "http://testserver", "x-csrf-token": opened.csrf}
        return TestClient(application, headers=headers, cookies={"bes_session": opened.secret})

    return client
