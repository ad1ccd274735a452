"""Fixtures for tests with real Terraform, the real AWS provider and an AWS on loopback."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.checkout import copy_checkout
from support.deployment import LiveDeployment
from support.documented import GOLDEN_MAIN, as_main_of
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.provider_source import source
from support.terraform import Terraform, terraform_in


@pytest.fixture(scope="session")
def aws_server() -> Iterator[LoopbackAws]:
    """A simulated AWS, one for each test process."""
    server = LoopbackAws()
    yield server
    server.stop()


@pytest.fixture
def aws(aws_server: LoopbackAws) -> LoopbackAws:
    """A simulated AWS with an empty account."""
    aws_server.reset()
    return aws_server


@pytest.fixture(scope="session")
def aws_provider(pytestconfig: pytest.Config) -> Iterator[Provider]:
    """The AWS provider."""
    provider = Provider(pytestconfig.cache.mkdir("aws-provider"), source())
    yield provider
    provider.stop()


@pytest.fixture
def only_since_provider_5(aws_provider: Provider) -> None:
    """Skip the test on provider 3.39; the end of such a run lists what it did not test."""
    if aws_provider.is_version_3:
        pytest.skip("not supported by AWS provider 3.39")


@pytest.fixture
def deployment(aws: LoopbackAws, aws_provider: Provider, tmp_path: Path) -> LiveDeployment:
    """A stack that can be synthesized and applied repeatedly, in an empty account."""
    return LiveDeployment(tmp_path, aws, aws_provider)


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``terraform/`` folder of the documented queues."""
    folder = tmp_path_factory.mktemp("synth")
    subprocess.run([sys.executable, GOLDEN_MAIN], cwd=folder, check=True)
    return folder / "terraform"


@pytest.fixture(scope="session")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in a folder whose name needs quoting, set up by its first synthesis."""
    copy = tmp_path_factory.mktemp("checkout") / "an Ordner with ümlauts"
    copy_checkout(root, copy)
    as_main_of(copy)
    subprocess.run(["make", "synth"], cwd=copy, check=True)
    return copy


@pytest.fixture
def terraform(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> Callable[[Path], Terraform]:
    """A function that initializes Terraform in a copy of a folder."""

    def make(source: Path) -> Terraform:
        return terraform_in(tmp_path / "applied" / source.name, source, aws, aws_provider)

    return make
