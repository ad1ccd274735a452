"""Checks of an AgentStack's settings; types are checked first.

Each function returns a line for each problem: where it is, what was expected, what was given and
what to do.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from buildkite_agents.checks.values import is_json, is_reference, tag_problems
from buildkite_agents.names import Names
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
)

# S3's rules for bucket names apply to the project and environment, which begin the name.
_PREFIX_PART = re.compile(r"[a-z][a-z0-9-]*")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET_NAME = re.compile(
    r"(?=.{3,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)
_RESERVED_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_LONGEST_BUCKET_NAME = 63
# The pattern that all templates have for the token's path, without ARNs.
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_TOKEN_PARAMETER = re.compile(r"/[a-zA-Z0-9_.\-/]*[a-zA-Z0-9_.\-]")
_LONGEST_PARAMETER_NAME = 1011
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
_POLICY_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_SCRIPT_URL = re.compile(r"(s3|https|file)://[^\s'\"`$\\;&|<>()]+")


def check_settings(settings: Mapping[str, Any]) -> list[str]:
    """Return the problems of an AgentStack's arguments, other than its queues."""
    problems = [*_check_types(settings)]
    if problems:
        return problems
    names = Names(settings["project"], settings["environment"])
    return [
        *_check_names(names, settings["secrets_bucket"]),
        *_check_script(settings["bootstrap_script"], settings["secrets_bucket"]),
        *_check_bucket(settings["secrets_bucket"]),
        *_check_token(settings["token"]),
        *_check_access(settings["access"]),
        *_check_network(settings["network"]),
        *_check_deployment(settings["deployment"]),
        *tag_problems("tags", settings["tags"] or {}),
    ]


# The type of each argument, in words and in Python.
_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "project": ("a string, such as 'conbench'", (str,)),
    "environment": ("a string, such as 'prod'", (str,)),
    "bootstrap_script": (
        "the path of a file, a URL, or None",
        (str, os.PathLike, type(None)),
    ),
    "token": ("an AgentToken, an Existing parameter, or None", (AgentToken, Existing, type(None))),
    "secrets_bucket": (
        "a SecretsBucket, an Existing bucket, or None",
        (SecretsBucket, Existing, type(None)),
    ),
    "access": ("an AgentAccess, an Existing policy, or None", (AgentAccess, Existing, type(None))),
    "network": ("a Network, or None", (Network, type(None))),
    "deployment": ("a Deployment", (Deployment,)),
    "parameters": ("a mapping of the template's parameters", (Mapping,)),
    "tags": ("a mapping of names to values, or None", (Mapping, type(None))),
    "keep_documented_layout": ("True or False", (bool,)),
}
_TEXT = ("text", (str,))
_TEXT_OR_NONE = ("text, or None", (str, type(None)))
_TRUE_OR_FALSE = ("True or False", (bool,))
_LIST = ("a list", (list, tuple))
_FIELD_TYPES: dict[tuple[type, str], tuple[str, tuple[type, ...]]] = {
    (Existing, "name"): _TEXT,
    (AgentToken, "parameter"): _TEXT_OR_NONE,
    (AgentToken, "organization"): _TEXT_OR_NONE,
    (AgentToken, "value"): _TEXT_OR_NONE,
    (AgentToken, "write_only_version"): (
        "a whole number, 1 or greater, or None",
        (int, type(None)),
    ),
    (SecretsBucket, "name"): _TEXT_OR_NONE,
    (SecretsBucket, "kms_key_arn"): _TEXT_OR_NONE,
    (SecretsBucket, "deletion_protection"): _TRUE_OR_FALSE,
    (SecretsBucket, "default_tags_on_script"): _TRUE_OR_FALSE,
    (AgentAccess, "policy_name"): _TEXT_OR_NONE,
    (AgentAccess, "ecr_repositories"): _LIST,
    (AgentAccess, "statements"): _LIST,
    (AgentAccess, "managed_policies"): _LIST,
    (AgentAccess, "permissions_boundary"): _TEXT_OR_NONE,
    (Network, "vpc_id"): _TEXT,
    (Network, "subnet_ids"): ("a list, or a reference", (list, tuple, str)),
    (Deployment, "folder"): ("a path, or None", (str, os.PathLike, type(None))),
    (Deployment, "backend"): (
        "an S3Backend, or None; create any other backend on the stack",
        (S3Backend, type(None)),
    ),
    (Deployment, "inside_root_module"): _TRUE_OR_FALSE,
    (Deployment, "import_account"): (
        "the 12 digits of an AWS account, as a string",
        (str, type(None)),
    ),
    (S3Backend, "bucket"): _TEXT,
    (S3Backend, "region"): _TEXT,
    (S3Backend, "key"): _TEXT,
}


def _check_types(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, (expected, types) in _TYPES.items():
        value = settings[name]
        if not isinstance(value, types):
            yield f"{name} must be {expected}, got {_shown(name, value)}"
            continue
        yield from _check_field_types(name, value)


def _shown(argument: str, value: Any) -> str:
    # The value can be an agent token.
    return f"a value of type {type(value).__name__}" if argument == "token" else repr(value)


def _check_field_types(where: str, value: Any) -> Iterator[str]:
    for field in fields(value) if type(value) in {kind for kind, _ in _FIELD_TYPES} else ():
        expected, types = _FIELD_TYPES[type(value), field.name]
        inner = getattr(value, field.name)
        if not isinstance(inner, types) or (isinstance(inner, bool) and bool not in types):
            yield f"{where}.{field.name} must be {expected}, got {_shown(where, inner)}"
        else:
            yield from _check_field_types(f"{where}.{field.name}", inner)


def _check_names(names: Names, bucket: Any) -> Iterator[str]:
    problems = [
        f"{field} must be lower-case letters, digits and hyphens, starting with a letter, "
        f"got {value!r}"
        for field, value in (("project", names.project), ("environment", names.environment))
        if not _PREFIX_PART.fullmatch(value)
    ]
    yield from problems
    if problems or not isinstance(bucket, SecretsBucket) or bucket.name is not None:
        return
    if names.project.startswith(_RESERVED_BUCKET_PREFIXES):
        yield f"project must not start with a prefix reserved by S3, got {names.project!r}"
    if len(names.secrets_bucket) > _LONGEST_BUCKET_NAME:
        yield (
            f"project and environment: the bucket's name {names.secrets_bucket!r} must be at most "
            f"{_LONGEST_BUCKET_NAME} characters, got {len(names.secrets_bucket)}: set "
            "secrets_bucket=SecretsBucket(name=...)"
        )


def script_is_elsewhere(script: Any) -> bool:
    """Whether a bootstrap script is a URL or a reference rather than a local file."""
    return isinstance(script, str) and ("://" in script or is_reference(script))


def _check_script(script: Any, bucket: Any) -> Iterator[str]:
    if script is None or is_reference(script):
        return
    if script_is_elsewhere(script):
        if not _SCRIPT_URL.fullmatch(script):
            yield (
                "bootstrap_script must be the path of a file, or a URL that starts with s3:// or "
                f"https:// and has no spaces, quotes or shell characters, got {script!r}"
            )
        return
    if not isinstance(bucket, SecretsBucket):
        yield (
            f"bootstrap_script: {os.fspath(script)!r} is uploaded to the secrets bucket of this "
            "program, and secrets_bucket names none: give the URL of a script that is in S3 "
            "already, or None"
        )
    elif not _is_file(script):
        yield f"bootstrap_script: there is no file {os.fspath(script)!r}"


def _is_file(path: Any) -> bool:
    try:
        return Path(path).is_file()
    except ValueError:  # the path contains a null character
        return False


def _check_bucket(bucket: Any) -> Iterator[str]:
    if bucket is None:
        return
    name = bucket.name
    if name is not None and not is_reference(name):
        reserved = name.startswith(_RESERVED_BUCKET_PREFIXES) or name.endswith(
            _RESERVED_BUCKET_SUFFIXES
        )
        if not _BUCKET_NAME.fullmatch(name) or reserved:
            yield (
                "secrets_bucket.name must be the name of a bucket: 3 to 63 lower-case letters, "
                f"digits and hyphens, without a prefix or suffix reserved by S3, got {name!r}"
            )
    if isinstance(bucket, SecretsBucket):
        yield from _check_arn("secrets_bucket.kms_key_arn", bucket.kms_key_arn, "kms")


def _check_arn(field: str, arn: Any, service: str) -> Iterator[str]:
    if arn is None or is_reference(arn):
        return
    if not isinstance(arn, str) or not re.fullmatch(rf"arn:aws[a-z-]*:{service}:[^\s,\"]+", arn):
        yield f"{field} must be an ARN such as arn:aws:{service}:..., got {arn!r}"


def _check_token(token: Any) -> Iterator[str]:
    if token is None:
        return
    field, name = "token.name", getattr(token, "name", None)
    if isinstance(token, AgentToken):
        field, name = "token.parameter", token.parameter
        organization, version = token.organization, token.write_only_version
        if organization is not None and not re.fullmatch(r"[\w .-]{1,200}", organization):
            yield (
                "token.organization must be the name of a Buildkite organization, "
                f"got {organization!r}"
            )
        if token.value is not None and not is_reference(token.value):
            yield (
                "token.value must be a Terraform reference such as "
                "${buildkite_agent_token.ours.token}: an agent token does not belong in a program"
            )
        if version is not None and version < 1:
            yield f"token.write_only_version must be a whole number, 1 or greater, got {version!r}"
    if name is None or is_reference(name):
        return
    is_arn = isinstance(token, Existing) and re.fullmatch(
        r"arn:aws[a-z-]*:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[\w./-]+", name, re.ASCII
    )
    if not is_arn and (not _TOKEN_PARAMETER.fullmatch(name) or len(name) > _LONGEST_PARAMETER_NAME):
        yield (f"{field} must be a slash followed by letters, digits and _ . - /, got {name!r}")
    elif isinstance(token, AgentToken) and re.match(r"/(aws|ssm)", name, re.IGNORECASE):
        yield f"{field} must not start with /aws or /ssm, which are reserved by AWS, got {name!r}"


def _check_access(access: Any) -> Iterator[str]:
    if isinstance(access, Existing):
        for arn in access.name.split(",") if not is_reference(access.name) else ():
            yield from _check_arn("access.name", arn, "iam")
    if not isinstance(access, AgentAccess):
        return
    name = access.policy_name
    if name is not None and not is_reference(name) and not _POLICY_NAME.fullmatch(name):
        yield (
            "access.policy_name must be at most 128 letters, digits and + = , . @ _ -, "
            f"got {name!r}"
        )
    for arn in access.managed_policies:
        yield from _check_arn("access.managed_policies", arn, "iam")
    yield from _check_arn("access.permissions_boundary", access.permissions_boundary, "iam")
    for repository in access.ecr_repositories:
        if not re.fullmatch(r"[a-z0-9*?][a-z0-9._/*?-]*", str(repository)):
            yield (
                "access.ecr_repositories must be names of repositories, optionally with * and "
                f"?, got {repository!r}"
            )
    for statement in access.statements:
        yield from _check_statement(statement)


def _check_statement(statement: Any) -> Iterator[str]:
    if (
        not isinstance(statement, Mapping)
        or "Effect" not in statement
        or not {"Action", "NotAction"} & statement.keys()
        or not {"Resource", "NotResource"} & statement.keys()
    ):
        yield (
            "access.statements must be mappings with Effect, Action or NotAction, and Resource "
            f"or NotResource, got {statement!r}"
        )
    elif not is_json(statement):
        yield f"access.statements must consist of strings, lists and mappings, got {statement!r}"
    else:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
        for name in ("Action", "NotAction", "Resource", "NotResource"):
            value = statement.get(name, "")
            values = value if isinstance(value, list | tuple) else [value]
            if not all(isinstance(one, str) for one in values):
                yield (
                    f"access.statements must have a string or a list of strings as {name}, "
                    f"got {value!r}"
                )


def _check_network(network: Any) -> Iterator[str]:
    if network is None:
        return
    subnets = network.subnet_ids
    if isinstance(subnets, str):
        if not is_reference(subnets):
            yield f"network.subnet_ids must be a list of ids, or a reference, got {subnets!r}"
        subnets = ()
    elif not subnets:
        yield "network.subnet_ids must not be empty"
    for field, kind, value in (
        ("vpc_id", "vpc", network.vpc_id),
        *(("subnet_ids", "subnet", subnet) for subnet in subnets),
    ):
        valid = isinstance(value, str) and re.fullmatch(rf"{kind}-[0-9a-f]{{8,17}}", value)
        if not is_reference(value) and not valid:
            yield (
                f"network.{field} must be such as {kind}-0123456789abcdef0, or a Terraform "
                f"reference, got {value!r}"
            )


def _check_deployment(deployment: Deployment) -> Iterator[str]:
    account = deployment.import_account
    if account is not None and not re.fullmatch(r"[0-9]{12}", account):
        yield (
            "deployment.import_account must be the 12 digits of an AWS account, as a string, "
            f"got {account!r}"
        )
    folder = deployment.folder
    if folder is not None and (
        not os.fspath(folder) or "\0" in str(folder) or "://" in str(folder)
    ):
        yield f"deployment.folder must be the path of a folder, got {folder!r}"
