"""A Buildkite queue and the machines that serve it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

from buildkite_agents.elastic_ci_stack import instance_types

DEFAULT_STACK_VERSION = "v6.71.1"
"""The Elastic CI Stack's version, where a queue names none: the newest that was checked."""

TEMPLATE_INSTANCE_TYPE = "t3.large"
"""What every version of the template starts where it is given no instance type."""

ParameterValue = str | int | float | bool | None


@dataclass(frozen=True)
class AgentQueue:
    """A queue, and the Elastic CI Stack of EC2 instances whose agents take its jobs.

    One line is a whole queue: ``AgentQueue("t4g.2xlarge")`` is ``arm64-t4g-2xlarge-linux``.
    Nothing is checked until the queue is given to an :class:`~buildkite_agents.AgentStack`, which
    reports every problem of all its queues together.
    """

    instance_type: str | None = None
    """The instance type, such as ``t4g.2xlarge``. None leaves it to the template: ``t3.large``."""

    _: KW_ONLY

    name: str = ""
    """The queue's name: by default ``ARCHITECTURE-INSTANCE-linux``, from the instance type.

    The address and the name of the queue's stack follow from it: another name is another stack.
    """

    architecture: str = ""
    """``amd64`` or ``arm64``: by default that of the instance type.

    It is needed for an instance type that is too new to be known here.
    """

    more_instance_types: Sequence[str] = ()
    """Further instance types, of the same architecture, that EC2 may choose instead: by default
    none."""

    min_size: int | None = 0
    """Instances that run even when there are no jobs: by default, and in the template, none."""

    max_size: int | None = 4
    """The most instances at a time, by default four; 0 pauses the queue. None leaves it to the
    template: ten."""

    on_demand_percentage: int | None = 100
    """The percentage of the instances that are on demand, by default all of them; the others are
    spot. None leaves it to the template: all of them."""

    idle_minutes: int | None = 15
    """Minutes without a job after which an instance terminates, by default 15. None leaves it to
    the template: ten."""

    agents_per_instance: int | None = 1
    """Agents on each instance, and so jobs that share a machine: by default, and in the template,
    one."""

    stack_version: str = DEFAULT_STACK_VERSION
    """The version of the Elastic CI Stack for AWS: by default the newest that was checked,
    ``v6.71.1``."""

    allow_unchecked_version: bool = False
    """Whether ``stack_version`` may be newer than the versions that are known here. Its parameters
    are then not checked."""

    stack_name: str | None = None
    """The name of the queue's CloudFormation stack: by default
    ``PROJECT-ENVIRONMENT-buildkite-QUEUE``, with a hyphen for each character that CloudFormation
    does not accept."""

    address: str | None = None
    """What the stack is called in Terraform, ``aws_cloudformation_stack.ADDRESS``: by default the
    queue's name, with a hyphen for each character that Terraform does not accept."""

    moved_from: str | None = None
    """The address that the stack has in an existing state, such as
    ``aws_cloudformation_stack.bk_queue["gpu-1"]``: by default that of the documented layout,
    ``aws_cloudformation_stack.buildkite_agents["QUEUE"]``. Empty: no other."""

    provider: str | None = None
    """The provider configuration, such as ``aws.us_east_1``: by default ``aws``."""

    tags: Mapping[str, str] | str | None = None
    """All tags of the stack, or a Terraform reference to them. By default those of the AgentStack,
    with Name, Queue and ElasticCIStack."""

    ignore_changes: Sequence[str] = ()
    """Arguments of the stack whose changes Terraform ignores, such as ``tags["owner"]``: by default
    none."""

    timeout_minutes: int = 90
    """Minutes after which Terraform gives up waiting for CloudFormation to create, update or delete
    the stack, by default 90. An update that replaces instances waits for the new ones, by default
    fifteen minutes at most (``InstanceCreationTimeout``), and for jobs on the old ones, an hour at
    most."""

    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    """Any parameters of the stack's template, by their names there, in the place of what this
    program would give them. None stands for the template's own default."""

    accepted_risks: Collection[str] = ()
    """The names of the warnings that are accepted: by default none."""

    architecture_is_given: bool = field(init=False, repr=False)
    """Whether the architecture was given, and not derived."""

    def __post_init__(self) -> None:
        # By object.__setattr__, the documented way to derive a frozen dataclass's field.
        object.__setattr__(self, "architecture_is_given", bool(self.architecture))
        if not self.architecture:
            derived = instance_types.architecture(str(self.all_instance_types[0]))
            object.__setattr__(self, "architecture", derived)
        if not self.name and self.instance_type is not None:
            object.__setattr__(self, "name", f"{self.architecture}-{self._instance}-linux")

    @property
    def all_instance_types(self) -> tuple[str, ...]:
        """The instance types in the order of preference."""
        if self.instance_type is not None:
            more = self.more_instance_types
            # Whatever else is given for them is refused by the checks, which come later.
            return (self.instance_type, *(more if isinstance(more, list | tuple) else ()))
        if isinstance(self.parameters, Mapping):
            given = self.parameters.get("InstanceTypes")
            if isinstance(given, str) and given and "${" not in given:
                return tuple(given.split(","))
        return (TEMPLATE_INSTANCE_TYPE,)

    @property
    def agent_tags(self) -> str:
        """The tags that jobs can select this queue's agents by, as Buildkite writes them."""
        instance = f",instance={self._instance}" if self.instance_type is not None else ""
        return f"arch={self.architecture},os=linux{instance}"

    @property
    def _instance(self) -> str:
        return str(self.instance_type).replace(".", "-")


def default_of(field_name: str) -> Any:
    """What a field of a queue is where it is not given."""
    return next(f.default for f in fields(AgentQueue) if f.name == field_name)
