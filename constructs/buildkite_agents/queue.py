"""A Buildkite queue and the EC2 instances that serve it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

from buildkite_agents.elastic_ci_stack import instance_types

DEFAULT_STACK_VERSION = "v6.71.1"
"""The default version of the Elastic CI Stack: the newest that this program was tested with."""

TEMPLATE_INSTANCE_TYPE = "t3.large"
"""The template's default instance type, in every version."""

ParameterValue = str | int | float | bool | None


@dataclass(frozen=True)
class AgentQueue:
    """A queue, and the Elastic CI Stack whose agents run its jobs.

    One line defines a whole queue: ``AgentQueue("t4g.2xlarge")`` is ``arm64-t4g-2xlarge-linux``.
    Values are checked when the queue is passed to an :class:`~buildkite_agents.AgentStack`, which
    reports the problems of all its queues together.
    """

    instance_type: str | None = None
    """The instance type, such as ``t4g.2xlarge``. With None, the template's default applies:
    ``t3.large``."""

    _: KW_ONLY

    name: str = ""
    """The queue's name: by default ``ARCHITECTURE-INSTANCE-linux``, from the instance type.

    The address and the name of the queue's stack derive from it: renaming a queue replaces its
    stack.
    """

    architecture: str = ""
    """``amd64`` or ``arm64``: by default that of the instance type.

    Required for instance types that are newer than this program's list.
    """

    more_instance_types: Sequence[str] = ()
    """Further instance types, of the same architecture, that EC2 can use instead: by default
    none."""

    min_size: int | None = 0
    """The minimum number of instances, which run even without jobs: by default, and in the
    template, none."""

    max_size: int | None = 4
    """The maximum number of instances, by default four; 0 pauses the queue. With None, the
    template's default applies: ten."""

    on_demand_percentage: int | None = 100
    """The percentage of On-Demand Instances, by default 100; the others are Spot Instances. With
    None, the template's default applies: 100."""

    idle_minutes: int | None = 15
    """The minutes without a job after which an instance terminates, by default 15. With None, the
    template's default applies: ten."""

    agents_per_instance: int | None = 1
    """The number of agents on each instance, and so of jobs that share an instance: by default, and
    in the template, one."""

    stack_version: str = DEFAULT_STACK_VERSION
    """The version of the Elastic CI Stack for AWS: by default the newest that this program was
    tested with, ``v6.71.1``."""

    allow_unchecked_version: bool = False
    """Whether ``stack_version`` can be newer than the versions that this program knows. Parameters
    of such a version are not checked. By default an unknown version is an error."""

    stack_name: str | None = None
    """The name of the queue's CloudFormation stack: by default
    ``PROJECT-ENVIRONMENT-buildkite-QUEUE``, with a hyphen in place of each character that
    CloudFormation does not accept."""

    address: str | None = None
    """The stack's resource name in Terraform, ``aws_cloudformation_stack.ADDRESS``: by default the
    queue's name, with a hyphen in place of each character that Terraform does not accept."""

    moved_from: str | None = None
    """The stack's address in an existing state, such as
    ``aws_cloudformation_stack.bk_queue["gpu-1"]``: by default that of the documented layout,
    ``aws_cloudformation_stack.buildkite_agents["QUEUE"]``. An empty string means that the stack
    does not move."""

    provider: str | None = None
    """The provider configuration, such as ``aws.us_east_1``: by default ``aws``."""

    tags: Mapping[str, str] | str | None = None
    """All tags of the stack, or a Terraform reference to them. By default the tags of the
    AgentStack, and Name, Queue and ElasticCIStack."""

    ignore_changes: Sequence[str] = ()
    """Arguments of the stack for Terraform's ``ignore_changes``, such as ``tags["owner"]``: by
    default none."""

    timeout_minutes: int = 90
    """The minutes that Terraform waits for CloudFormation to create, update or delete the stack, by
    default 90. An update that replaces instances waits for the new instances, by default for at
    most 15 minutes (``InstanceCreationTimeout``), and for jobs on the old ones, for at most an
    hour."""

    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    """Any template parameters, by name. They override this program's defaults. With None, the
    template's own default applies."""

    accepted_risks: Collection[str] = ()
    """The names of accepted warnings, which are then not printed: by default none."""

    architecture_is_given: bool = field(init=False, repr=False)
    """Whether the architecture was set explicitly."""

    def __post_init__(self) -> None:
        # object.__setattr__ is the documented way to set a field of a frozen dataclass.
        object.__setattr__(self, "architecture_is_given", bool(self.architecture))
        if not self.architecture:
            derived = instance_types.architecture(str(self.all_instance_types[0]))
            object.__setattr__(self, "architecture", derived)
        if not self.name and self.instance_type is not None:
            object.__setattr__(self, "name", f"{self.architecture}-{self._instance}-linux")

    @property
    def all_instance_types(self) -> tuple[str, ...]:
        """The instance types in order of preference."""
        if self.instance_type is not None:
            more = self.more_instance_types
            # The checks, which run later, refuse values of other types.
            return (self.instance_type, *(more if isinstance(more, list | tuple) else ()))
        if isinstance(self.parameters, Mapping):
            given = self.parameters.get("InstanceTypes")
            if isinstance(given, str) and given and "${" not in given:
                return tuple(given.split(","))
        return (TEMPLATE_INSTANCE_TYPE,)

    @property
    def agent_tags(self) -> str:
        """The tags by which jobs can select this queue's agents, in Buildkite's notation."""
        instance = f",instance={self._instance}" if self.instance_type is not None else ""
        return f"arch={self.architecture},os=linux{instance}"

    @property
    def _instance(self) -> str:
        return str(self.instance_type).replace(".", "-")


def default_of(field_name: str) -> Any:
    """The default value of a queue's field."""
    return next(f.default for f in fields(AgentQueue) if f.name == field_name)
