"""A Buildkite queue and the machines that serve it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from buildkite_agents.elastic_ci_stack import instance_types

DEFAULT_STACK_VERSION = "v6.71.1"
"""The Elastic CI Stack's version, where a queue names none: the newest that was checked."""

ParameterValue = str | int | float | bool | None


@dataclass(frozen=True)
class AgentQueue:
    """A queue, and the Elastic CI Stack of EC2 instances whose agents take its jobs.

    One line is a whole queue: ``AgentQueue("t4g.2xlarge")`` is ``arm64-t4g-2xlarge-linux``.
    Nothing is checked until the queue is given to an :class:`~buildkite_agents.AgentStack`, which
    reports every problem of all its queues together.
    """

    instance_type: str
    """The EC2 instance type, such as ``t4g.2xlarge``."""

    _: KW_ONLY

    name: str = ""
    """The queue's name: by default ``ARCHITECTURE-INSTANCE-linux``, from the instance type.

    It is part of the address and the name of the queue's stack: another name is another stack.
    """

    architecture: str = ""
    """``amd64`` or ``arm64``: by default what the instance type has.

    Saying it is how to use an instance type that is too new to be known here.
    """

    more_instance_types: Sequence[str] = ()
    """Further instance types, of the same architecture, that EC2 may choose instead."""

    min_size: int = 0
    """Instances that run even when there are no jobs."""

    max_size: int = 4
    """The most instances at a time."""

    on_demand_percentage: int = 100
    """How many of the instances are on demand, in percent. The others are spot."""

    idle_minutes: int | None = 15
    """Minutes without a job after which an instance stops; None leaves it to the stack: ten."""

    agents_per_instance: int = 1
    """Agents on each instance, and so jobs that share a machine."""

    stack_version: str = DEFAULT_STACK_VERSION
    """The version of the Elastic CI Stack for AWS."""

    timeout_minutes: int = 90
    """Minutes after which Terraform gives up waiting for CloudFormation to create, update or delete
    the stack. An update that replaces instances waits for the new ones, by default fifteen minutes
    at most (``InstanceCreationTimeout``), and for jobs on the old ones, an hour at most."""

    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    """Any other parameters of the stack's template, by their names there.

    None stands for the template's own default, where this program would set the parameter.
    """

    accepted_risks: Collection[str] = ()
    """The warnings that are meant: ``always-on``, ``shared-instance``, ``spot``, ``burstable`` or
    ``gp3-iops``."""

    architecture_is_said: bool = field(init=False, repr=False)
    """Whether the architecture was given, and not derived."""

    def __post_init__(self) -> None:
        # By object.__setattr__, the documented way to derive a frozen dataclass's field.
        object.__setattr__(self, "architecture_is_said", bool(self.architecture))
        if not self.architecture:
            derived = instance_types.architecture(str(self.instance_type))
            object.__setattr__(self, "architecture", derived)
        if not self.name:
            object.__setattr__(self, "name", f"{self.architecture}-{self._instance}-linux")

    @property
    def all_instance_types(self) -> tuple[str, ...]:
        """The instance types in the order of preference."""
        return (self.instance_type, *self.more_instance_types)

    @property
    def agent_tags(self) -> str:
        """The tags that jobs can select this queue's agents by, as Buildkite writes them."""
        return f"arch={self.architecture},os=linux,instance={self._instance}"

    @property
    def _instance(self) -> str:
        return str(self.instance_type).replace(".", "-")
