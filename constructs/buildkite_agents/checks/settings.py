"""Checks of an AgentStack's settings, whose types are correct.

Each function returns a line for each problem: where it is, what was expected, what was given and
what to do.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from buildkite_agents import bootstrap_script, patterns
from buildkite_agents.checks.alarms import alarm_problems
from buildkite_agents.checks.tags import tag_problems
from buildkite_agents.checks.types import text_problems, type_problems
from buildkite_agents.errors import shown
from buildkite_agents.expressions import is_reference, is_whole_reference, literal_text
from buildkite_agents.names import Names
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
    StackSettings,
)

# S3's rules for bucket names apply to the project and environment, which begin the name.
_PREFIX_PART = "[a-z][a-z0-9-]*"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_RESERVED_BUCKET_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_BUCKET_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_LEAST_BUCKET_NAME, _LONGEST_BUCKET_NAME = 3, 63
# The pattern that all templates have for the token's path, without ARNs.
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_TOKEN_PARAMETER = r"/[a-zA-Z0-9_.\-/]*[a-zA-Z0-9_.\-]"  # noqa: S105 # nosec B105
_LONGEST_PARAMETER_NAME = 1011
# No name, ARN or URL has spaces, quotes or shell characters.
_UNSAFE = re.compile(r"[\s'\"`$\\;&|<>()]")
_SCRIPT_URL = r"(s3|https|file)://[^\s'\"`$\\;&|<>()]+"


def setting_problems(settings: StackSettings) -> Iterator[str]:
    """Return the problems of an AgentStack's settings."""
    yield from _name_problems(settings)
    yield from _script_problems(settings)
    if settings.secrets_bucket is not None:
        yield from _bucket_problems(settings.secrets_bucket)
    if settings.token is not None:
        yield from _token_problems(settings.token)
    if settings.access is not None:
        yield from _access_problems(settings.access)
    if settings.network is not None:
        yield from _network_problems(settings.network)
    if settings.alarms is not None:
        yield from alarm_problems(settings.alarms, settings.common_tags)
    yield from _deployment_problems(settings.deployment)
    if settings.deployment.destroy_unused:
        yield from _destroyed_problems(settings)
    yield from tag_problems("tags", settings.tags or {}, of_all=not settings.template_defaults)


def _is_valid(pattern: str, value: str) -> bool:
    """Whether a value has a form; where it has references, only the text around them is known."""
    if is_reference(value):
        return not _UNSAFE.search(literal_text(value))
    return re.fullmatch(pattern, value, re.ASCII) is not None


def _name_problems(settings: StackSettings) -> Iterator[str]:
    parts = {"project": settings.project, "environment": settings.environment}
    problems = [
        f"{field} must be lower-case letters, digits and hyphens, starting with a letter, "
        f"got {value!a}"
        for field, value in parts.items()
        if not re.fullmatch(_PREFIX_PART, value)
    ]
    yield from problems
    bucket = settings.secrets_bucket
    if problems or not isinstance(bucket, SecretsBucket) or bucket.name is not None:
        return
    if settings.project.startswith(_RESERVED_BUCKET_PREFIXES):
        yield f"project must not start with a prefix reserved by S3, got {settings.project!a}"
    name = Names(settings.project, settings.environment).secrets_bucket
    if len(name) > _LONGEST_BUCKET_NAME:
        yield (
            f"project and environment: the bucket's name {name!a} must be at most "
            f"{_LONGEST_BUCKET_NAME} characters, got {len(name)}: set "
            "secrets_bucket=SecretsBucket(name=...)"
        )


def _script_problems(settings: StackSettings) -> Iterator[str]:
    script = settings.bootstrap_script
    if script is None:
        return
    path = bootstrap_script.local_path(script)
    if path is None:
        if not _is_valid(_SCRIPT_URL, str(script)):
            yield (
                "bootstrap_script must be the path of a file, or a URL that starts with s3:// or "
                f"https:// and has no spaces, quotes or shell characters, got {script!a}"
            )
    elif settings.secrets_bucket is None:
        yield (
            f"bootstrap_script: {os.fspath(script)!r} is uploaded to the secrets bucket, and "
            "secrets_bucket is None: give the URL of a script that is in S3 already, or None"
        )
    else:
        yield from (f"bootstrap_script: {problem}" for problem in _file_problems(path))


def _file_problems(path: Path) -> Iterator[str]:
    file = ascii(os.fspath(path))
    try:
        content = path.read_bytes() if path.is_file() else None
    except (OSError, ValueError) as error:  # not readable, too long, or with a null character
        yield f"cannot read the file {file}: {getattr(error, 'strerror', None) or error}"
        return
    if content is None:
        yield f"{file} is a folder" if path.is_dir() else f"there is no file {file}"
    elif b"\0" in content:
        yield f"{file} is not text, and so not a script"
    elif b"\r\n" in content:
        yield (
            f"{file} has the line endings of Windows, with which bash fails: convert it, such as "
            "with `dos2unix`"
        )


def _bucket_problems(bucket: SecretsBucket | Existing) -> Iterator[str]:
    name = bucket.name
    if name is not None:
        reserved = name.startswith(_RESERVED_BUCKET_PREFIXES) or name.endswith(
            _RESERVED_BUCKET_SUFFIXES
        )
        if reserved or not _is_bucket(name):
            yield (
                "secrets_bucket.name must be the name of a bucket: 3 to 63 lower-case letters, "
                f"digits and hyphens, without a prefix or suffix reserved by S3, got {name!a}"
            )
    if isinstance(bucket, SecretsBucket) and bucket.kms_key_arn is not None:
        yield from _arn_problems("secrets_bucket.kms_key_arn", bucket.kms_key_arn, "kms", "key")


def _is_bucket(name: str) -> bool:
    fits = is_reference(name) or _LEAST_BUCKET_NAME <= len(name) <= _LONGEST_BUCKET_NAME
    return fits and _is_valid(patterns.BUCKET_NAME, name)


def _arn_problems(field: str, arn: str, service: str, kind: str) -> Iterator[str]:
    if not _is_valid(patterns.arn(service, rf"{kind}/[^\s,\"]+"), arn):
        example = f"arn:aws:{service}:...:{kind}/..."
        yield f"{field} must be an ARN such as {example}, got {arn!a}"


def _token_problems(token: AgentToken | Existing) -> Iterator[str]:
    if isinstance(token, Existing):
        if re.fullmatch(patterns.arn("ssm", r"parameter/[\w./-]+"), token.name, re.ASCII):
            return
        yield from _parameter_name_problems("token.name", token.name)
        return
    organization = token.organization
    if organization is not None and (
        not re.fullmatch(r"[\w .-]{1,200}", organization) or patterns.SECRET.search(organization)
    ):
        yield (
            "token.organization must be the name of a Buildkite organization, got "
            + ("a token" if patterns.SECRET.search(organization) else shown(organization))
        )
    if token.value is not None and (
        not is_whole_reference(token.value) or patterns.SECRET.search(token.value)
    ):
        yield (
            "token.value must be a Terraform reference such as "
            "${buildkite_agent_token.ours.token}: an agent token does not belong in a program"
        )
    if token.parameter is not None:
        yield from _parameter_name_problems("token.parameter", token.parameter)
        if re.match(r"/(aws|ssm)", token.parameter, re.IGNORECASE):
            yield "token.parameter must not start with /aws or /ssm, which are reserved by AWS"


def _parameter_name_problems(field: str, name: str) -> Iterator[str]:
    if not _is_valid(_TOKEN_PARAMETER, name) or len(name) > _LONGEST_PARAMETER_NAME:
        # The value is not repeated: it can be an agent token.
        yield (
            f"{field} must be the name of an SSM parameter, a slash followed by letters, digits "
            f"and _ . - /, of at most {_LONGEST_PARAMETER_NAME} characters"
        )


def _access_problems(access: AgentAccess | Existing) -> Iterator[str]:
    if isinstance(access, Existing):
        for arn in access.name.split(",") if not is_reference(access.name) else ():
            yield from _arn_problems("access.name", arn, "iam", "policy")
        return
    name = access.policy_name
    if name is not None and not _is_valid(patterns.POLICY_NAME, name):
        yield (
            "access.policy_name must be at most 128 letters, digits and + = , . @ _ -, "
            f"got {name!a}"
        )
    for arn in access.managed_policies:
        yield from _arn_problems("access.managed_policies", arn, "iam", "policy")
    if len(set(access.managed_policies)) < len(access.managed_policies):
        yield f"access.managed_policies must be different ARNs, got {access.managed_policies!a}"
    if access.permissions_boundary is not None:
        yield from _arn_problems(
            "access.permissions_boundary", access.permissions_boundary, "iam", "policy"
        )
    for repository in access.push_to_ecr_repositories:
        if not re.fullmatch(r"[a-z0-9*?][a-z0-9._/*?-]*", repository):
            yield (
                "access.push_to_ecr_repositories must be names of repositories, optionally "
                f"with * and ?, got {repository!a}"
            )
    for statement in access.statements:
        yield from _statement_problems(statement)


def _statement_problems(statement: Mapping[str, Any]) -> Iterator[str]:
    where = "access.statements"
    if (
        "Effect" not in statement
        or not {"Action", "NotAction"} & statement.keys()
        or not {"Resource", "NotResource"} & statement.keys()
    ):
        yield (
            f"{where} must be mappings with Effect, Action or NotAction, and Resource "
            f"or NotResource, got {shown(statement, where)}"
        )
    elif not is_json(statement):
        yield (
            f"{where} must consist of strings, lists and mappings, got {shown(statement, where)}"
        )
    else:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
        effect = statement["Effect"]
        if effect not in ("Allow", "Deny") and not is_whole_reference(effect):
            yield f"{where} must have 'Allow' or 'Deny' as Effect, got {shown(effect, where)}"
        for name in ("Action", "NotAction", "Resource", "NotResource"):
            value = statement.get(name, "")
            values = value if isinstance(value, list | tuple) else [value]
            if not all(isinstance(one, str) for one in values):
                yield (
                    f"{where} must have a string or a list of strings as {name}, "
                    f"got {shown(value, where)}"
                )
        yield from dict.fromkeys(_texts_problems(where, statement))


def is_json(value: Any) -> bool:
    """Whether a value can be represented in JSON."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_json(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_json, value))
    return isinstance(value, str | bool | int)


def _texts_problems(where: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from type_problems(where, value, str)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from text_problems(where, key)
            yield from _texts_problems(where, item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_problems(where, item)


def _network_problems(network: Network) -> Iterator[str]:
    subnets = network.subnet_ids
    if isinstance(subnets, str):
        if not is_reference(subnets):
            yield f"network.subnet_ids must be a list of ids, or a reference, got {subnets!a}"
        subnets = ()
    elif not subnets:
        yield "network.subnet_ids must not be empty"
    for field, pattern, example, value in (
        ("vpc_id", patterns.VPC_ID, "vpc-0123456789abcdef0", network.vpc_id),
        *(
            ("subnet_ids", patterns.SUBNET_ID, "subnet-0123456789abcdef0", subnet)
            for subnet in subnets
        ),
    ):
        if not _is_valid(pattern, value):
            yield (
                f"network.{field} must look like {example}, or be a Terraform reference, "
                f"got {value!a}"
            )


def _destroyed_problems(settings: StackSettings) -> Iterator[str]:
    """An existing resource with the name of this program's own can be the one it created."""
    own = Names(settings.project, settings.environment)
    for field, existing, name in (
        ("secrets_bucket", settings.secrets_bucket, own.secrets_bucket),
        ("token", settings.token, own.token_parameter),
    ):
        if isinstance(existing, Existing) and existing.name == name:
            yield (
                f"deployment.destroy_unused would destroy {name!a}, which {field} refers to: "
                "remove destroy_unused"
            )


def _deployment_problems(deployment: Deployment) -> Iterator[str]:
    account = deployment.import_account
    if account is not None and not re.fullmatch(patterns.ACCOUNT_ID, account, re.ASCII):
        yield (
            "deployment.import_account must be the 12 digits of an AWS account, as a string, "
            f"got {account!a}"
        )
    for name in deployment.provider:
        if name == "default_tags":
            yield "deployment.provider must not have default_tags: set tags of the AgentStack"
        elif not re.fullmatch(r"[a-z]\w*", name, re.ASCII):
            yield f"deployment.provider: {name!a} is not an argument of a provider"
    if deployment.provider and deployment.inside_root_module:
        yield (
            "deployment.provider has no effect with inside_root_module: set the arguments in your "
            "root module's own provider block"
        )
    if deployment.backend is not None:
        yield from _backend_problems(deployment.backend)
    folder = deployment.folder
    if folder is not None and (
        not os.fspath(folder) or "\0" in str(folder) or "://" in str(folder)
    ):
        yield f"deployment.folder must be the path of a folder, got {folder!a}"


def _backend_problems(backend: S3Backend) -> Iterator[str]:
    where = "deployment.backend"
    given = {name: value for name, value in vars(backend).items() if value is not None}
    if not _is_bucket(backend.bucket):
        yield (
            f"{where}.bucket must be the name of a bucket: 3 to 63 lower-case letters, digits and "
            f"hyphens, got {shown(backend.bucket)}"
        )
    if not _is_valid(patterns.REGION, backend.region):
        yield f"{where}.region must be a region such as us-east-1, got {shown(backend.region)}"
    for name, service, kind in (("role_arn", "iam", "role"), ("kms_key_arn", "kms", "key")):
        if name in given:
            yield from _arn_problems(f"{where}.{name}", given[name], service, kind)
