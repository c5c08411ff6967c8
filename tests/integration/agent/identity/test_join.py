"""A fresh host joins, over real HTTPS, whole or cut off at any place."""

import asyncio
import dataclasses
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import load_config
from agent.identity import join as joining
from agent.identity.errors import (
    ClockSkewError,
    EnrolmentError,
    ForeignControllerError,
    RefusedError,
)
from agent.identity.folder import IdentityFolder
from agent.identity.join import join
from agent.runtime.host import DataFolder, DataFolderError
from controller.storage.engine import Storage
from shared.identity.errors import ForeignAuthorityError
from shared.identity.fingerprints import grouped, key_fingerprint
from shared.identity.pem import read_certificates
from shared.identity.verification import verify_server
from tests.enrolments import HOST, Interface, running_interface
from tests.integration.agent.identity.hosts import FreshHost


@pytest.fixture
def host(tmp_path: Path) -> FreshHost:
    """A host without anything."""
    return FreshHost(tmp_path / "host")


async def test_a_fresh_host_is_ready_to_run(interface: Interface, host: FreshHost) -> None:
    plan = host.plan(interface, interface.new_token()["token"])
    await join(plan, host.around())
    config = load_config(plan.config_file, {})
    assert config.node == "site-a-01"
    assert (config.broker.host, config.broker.port) == ("broker.example", 8883)
    assert config.identity is not None
    current = IdentityFolder(config.identity.folder).current()
    assert current is not None
    assert config.broker.certificate_file.read_bytes().count(b"BEGIN CERTIFICATE") == 2
    assert not (config.identity.folder / "pending.key").exists()


async def test_the_same_command_again_does_nothing(interface: Interface, host: FreshHost) -> None:
    plan = host.plan(interface, interface.new_token()["token"])
    await join(plan, host.around())
    before = plan.identity.key_file.read_bytes()
    await join(plan, host.around())
    assert "nothing to do" in host.said[-1]
    assert plan.identity.key_file.read_bytes() == before
    assert interface.security_events("enrolment_refused") == 0


@pytest.mark.parametrize("step", ["verify_client", "_configure", "write_file"])
async def test_a_join_that_was_cut_off_is_finished_by_the_same_command(
    interface: Interface, host: FreshHost, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    plan = host.plan(interface, interface.new_token()["token"])

    def cut_off(*_arguments: Any, **_more: Any) -> None:
        raise OSError("cut off")

    with monkeypatch.context() as patched:
        patched.setattr(joining, step, cut_off)
        with pytest.raises(OSError, match="cut off"):
            await join(plan, host.around())
    await join(plan, host.around())
    assert load_config(plan.config_file, {}).node == "site-a-01"
    items = interface.client.get("/api/v1/enrolment/certificates").json()["items"]
    assert len(items) == 1
    assert interface.security_events("enrolment_refused") == 0


async def test_a_host_waits_for_the_operator(interface: Interface, host: FreshHost) -> None:
    made = interface.new_token(confirm_key=True)
    plan = host.plan(interface, made["token"])
    path = f"/api/v1/enrolment/tokens/{made['id']}"

    async def confirm() -> None:
        shown = None
        while shown is None:
            found = await asyncio.to_thread(interface.client.get, path)
            shown = found.json()["key_fingerprint"]
        assert any(grouped(shown) in text for text in host.said)
        body = {"key_fingerprint": shown}
        await asyncio.to_thread(interface.client.post, f"{path}/confirm", json=body)

    async with asyncio.timeout(30):
        await asyncio.gather(join(plan, host.around()), confirm())
    current = plan.identity.current()
    assert current is not None
    assert key_fingerprint(current.leaf) == interface.client.get(path).json()["key_fingerprint"]


async def test_a_refused_host_is_told_why(interface: Interface, host: FreshHost) -> None:
    made = interface.new_token()
    interface.client.post(f"/api/v1/enrolment/tokens/{made['id']}/withdraw")
    plan = host.plan(interface, made["token"])
    with pytest.raises(RefusedError, match="withdrawn"):
        await join(plan, host.around())
    assert plan.identity.current() is None
    assert not plan.config_file.exists()


async def test_a_token_for_another_role_leaves_the_host_as_it_was(
    interface: Interface, host: FreshHost
) -> None:
    token = (await asyncio.to_thread(interface.new_token, role="signer"))["token"]
    plan = dataclasses.replace(host.plan(interface, token), role="site")
    with pytest.raises(EnrolmentError, match="role signer, and this one is set up for site"):
        await join(plan, host.around())
    assert plan.identity.current() is None
    assert not plan.config_file.exists()
    await join(dataclasses.replace(plan, role="signer"), host.around())
    assert plan.config_file.exists()


async def test_joining_anew_keeps_what_an_operator_configured(
    interface: Interface, host: FreshHost
) -> None:
    plan = host.plan(interface, interface.new_token()["token"])
    await join(plan, host.around())
    with plan.config_file.open("a") as file:
        file.write("\n[buffer]\ndisk_budget_mib = 77\n")
    old = plan.identity.key_file.read_bytes()
    plan = host.plan(interface, interface.new_token()["token"])
    await join(plan, host.around())
    assert load_config(plan.config_file, {}).buffer.disk_budget_mib == 77
    assert plan.identity.key_file.read_bytes() != old


async def test_joining_under_another_root_forgets_the_one_before_at_once(
    interface: Interface, host: FreshHost, sqlite_template: Path, tmp_path: Path
) -> None:
    """So an intermediate that was lost is given up with its root: what it signs is foreign then."""
    plan = host.plan(interface, interface.new_token()["token"])
    await join(plan, host.around())
    lost = read_certificates(interface.ca.server_files(tmp_path)[0].read_bytes())
    verify_server(lost, plan.identity.trust(), datetime.now(UTC), HOST)
    folder = tmp_path / "next"
    folder.mkdir()
    shutil.copyfile(sqlite_template, folder / "controller.db")
    with (
        closing(Storage(f"sqlite:///{folder}/controller.db")) as storage,
        running_interface(storage, folder) as successor,
    ):
        plan = host.plan(successor, successor.new_token()["token"])
        await join(plan, host.around())
        assert read_certificates(plan.identity.roots_file.read_bytes()) == (successor.ca.root,)
    with pytest.raises(ForeignAuthorityError):
        verify_server(lost, plan.identity.trust(), datetime.now(UTC), HOST)


@pytest.mark.parametrize("years", [-20, 5])
async def test_a_clock_years_off_is_explained(
    interface: Interface, host: FreshHost, years: int
) -> None:
    plan = host.plan(interface, interface.new_token()["token"])
    now = datetime.now(UTC) + timedelta(days=365 * years)
    with pytest.raises(ClockSkewError, match=f"{now:%Y-%m-%d}.*set this host's clock"):
        await join(plan, host.around(lambda: now))
    await join(plan, host.around())
    assert plan.identity.current() is not None


async def test_another_authoritys_fingerprint_is_not_joined(
    interface: Interface, host: FreshHost
) -> None:
    plan = host.plan(interface, interface.new_token()["token"])
    wrong = dataclasses.replace(plan, ca_fingerprint="sha256:" + "0" * 64)
    with pytest.raises(ForeignControllerError):
        await join(wrong, host.around())
    assert interface.client.get("/api/v1/enrolment/tokens").json()["items"][0]["state"] == "issued"


async def test_a_host_whose_agent_runs_is_left_alone(interface: Interface, host: FreshHost) -> None:
    plan = host.plan(interface, interface.new_token()["token"])
    lock = DataFolder.take(plan.data_dir)
    try:
        with pytest.raises(DataFolderError, match="another agent runs"):
            await join(plan, host.around())
    finally:
        lock.release()
