"""The choice of the AWS provider for the end-to-end tests."""

from pathlib import Path

import pytest
from support.provider_source import Source, source


def mirror(folder: Path, version: str) -> Path:
    path = folder / "registry.terraform.io" / "hashicorp" / "aws" / version / "linux_amd64"
    path.mkdir(parents=True)
    return folder


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which Terraform uses no folder of this machine."""
    return {"HOME": str(home), "XDG_DATA_DIRS": str(home / "none"), **more}


def test_the_environment_variable_has_precedence(tmp_path: Path) -> None:
    implied = mirror(tmp_path / ".terraform.d" / "plugins", "5.100.0")
    named = mirror(tmp_path / "mirror", "6.40.0")
    for setting, expected in {
        "registry": Source("registry"),
        "wheel": Source("wheel"),
        str(named): Source("mirror", named),
        "": Source("mirror", implied),
    }.items():
        assert source(environment(tmp_path, TEST_AWS_PROVIDER=setting)) == expected


@pytest.mark.parametrize(
    "text",
    [
        'provider_installation {{\n  filesystem_mirror {{\n    path = "{path}"\n  }}\n}}\n',
        'provider_installation {{\n  filesystem_mirror {{\n    include = ["a/b"]\n'
        '    path    = "{path}"\n  }}\n  direct {{}}\n}}\n',
        '{{"provider_installation": [{{"filesystem_mirror": [{{"path": "{path}"}}]}}]}}',
    ],
    ids=["HCL", "HCL with include", "JSON"],
)
def test_then_a_mirror_of_terraforms_own_configuration(tmp_path: Path, text: str) -> None:
    folder = mirror(tmp_path / "plugins", "5.100.0")
    config = tmp_path / "cli.tfrc"
    config.write_text(text.format(path=folder))
    found = source(environment(tmp_path, TF_CLI_CONFIG_FILE=str(config)))
    assert found == Source("mirror", folder)
    (tmp_path / ".terraformrc").write_text(text.format(path=folder))
    assert source(environment(tmp_path)) == Source("mirror", folder)


def test_a_mirror_that_is_commented_out_is_none(tmp_path: Path) -> None:
    folder = mirror(tmp_path / "plugins", "5.100.0")
    config = tmp_path / ".terraformrc"
    config.write_text(f'# provider_installation {{ filesystem_mirror {{ path = "{folder}" }} }}\n')
    assert source(environment(tmp_path)) == Source("wheel")


def test_then_terraforms_implied_mirrors(tmp_path: Path) -> None:
    folder = mirror(tmp_path / "share" / "terraform" / "plugins", "6.2.0")
    found = source(environment(tmp_path, XDG_DATA_HOME=str(tmp_path / "share")))
    assert found == Source("mirror", folder)


def test_a_packed_mirror_counts(tmp_path: Path) -> None:
    packed = tmp_path / "plugins" / "registry.terraform.io" / "hashicorp" / "aws"
    packed.mkdir(parents=True)
    (packed / "terraform-provider-aws_5.100.0_linux_amd64.zip").touch()
    config = tmp_path / ".terraformrc"
    config.write_text(
        f'provider_installation {{ filesystem_mirror {{ path = "{tmp_path}/plugins" }} }}\n'
    )
    assert source(environment(tmp_path)).kind == "mirror"


def test_a_version_that_is_too_old_is_none(tmp_path: Path) -> None:
    mirror(tmp_path / ".terraform.d" / "plugins", "4.67.0")
    assert source(environment(tmp_path)) == Source("wheel")


def test_otherwise_the_wheel_is_used(tmp_path: Path) -> None:
    assert source(environment(tmp_path)) == Source("wheel")
    assert str(Source("wheel")).startswith("3.39.0")
