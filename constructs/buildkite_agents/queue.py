"""A Buildkite queue and the EC2 instances that serve it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeAlias

from buildkite_agents.arguments import reports_mistaken_arguments
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.expressions import is_reference
from buildkite_agents.options import option, options

DEFAULT_STACK_VERSION = "v7.13.0"
"""The default version of the Elastic CI Stack for new deployments."""

TEMPLATE_INSTANCE_TYPE = "t3.large"
"""The template's default instance type, in every version."""

ParameterValue: TypeAlias = str | int | float | bool | None


class _Derived(str):
    """A field that was not set, and so follows the instance type in ``dataclasses.replace``."""

    __slots__ = ()


@reports_mistaken_arguments
@dataclass(frozen=True)
class AgentQueue:
    """A queue, and the Elastic CI Stack whose agents run its jobs.

    One line defines a whole queue: ``AgentQueue("t4g.2xlarge")`` is ``arm64-t4g-2xlarge-linux``.
    Values are checked when the queue is passed to an :class:`~buildkite_agents.AgentStack`, which
    reports the problems of all its queues together.
    """

    instance_type: str | None = None
    """The instance type, such as ``t4g.2xlarge``, or a Terraform reference to one, which requires
    ``name`` and ``architecture``. Default: that of the template, ``t3.large``."""

    _: KW_ONLY

    name: str = ""
    """The queue's name.

    The address and the name of the queue's stack derive from it: renaming a queue replaces its
    stack. In ``dataclasses.replace``, a name that was not set follows the instance type; to keep
    it, pass ``name=str(queue.name)``. Default: ``ARCHITECTURE-INSTANCE-linux``, from the instance
    type.
    """

    architecture: str = ""
    """``amd64`` or ``arm64``.

    Required for instance types that are newer than this program's list. Default: that of the
    instance type.
    """

    more_instance_types: Sequence[str] = ()
    """Further instance types, of the same architecture, that EC2 can use instead. Default:
    none."""

    min_size: int | str | None = option("MinSize", default=0)
    """The minimum number of instances, which run even without jobs. None sets the template's
    default, 0. Default: 0."""

    max_size: int | str | None = option("MaxSize", default=4)
    """The maximum number of instances; 0 pauses the queue. None sets the template's default, 10.
    Default: 4."""

    on_demand_percentage: int | str | None = option("OnDemandPercentage", default=100, greatest=100)
    """The percentage of On-Demand Instances; the others are Spot Instances. None sets the
    template's default, 100. Default: 100."""

    idle_minutes: int | float | str | None = option("ScaleInIdlePeriod", default=15, unit=60)
    """The minutes without a job after which an instance terminates, such as 1.5 for 90 seconds; 0
    for never. None sets the template's default, 10. Default: 15."""

    agents_per_instance: int | str | None = option("AgentsPerInstance", default=1, least=1)
    """The number of agents on each instance, and so of jobs that share an instance. None sets the
    template's default, 1. Default: 1."""

    stack_version: str = DEFAULT_STACK_VERSION
    """The version of the Elastic CI Stack for AWS. The default is the newest that this program
    supports. Default: ``v7.13.0``."""

    allow_unchecked_version: bool = False
    """Whether ``stack_version`` can be a release that this program does not know. It is checked
    against what the known versions before and after it agree on, with a warning. Otherwise an
    unknown version is an error."""

    image_stack_version: str | None = None
    """The version of the Elastic CI Stack from whose image an image of your own (``ImageId`` or
    ``ImageIdParameter``) was built. Required with such an image from v7.0.0, which cannot boot
    images of older versions. Default: none."""

    template_url: str | None = None
    """The URL of the stack's template, such as that of a copy in a bucket. If the URL contains a
    version, it must equal ``stack_version``. Otherwise ``stack_version`` only decides which
    parameters are accepted. With an empty string, an existing stack keeps its template. Default:
    Buildkite's template of ``stack_version``."""

    stack_name: str | None = None
    """The name of the queue's CloudFormation stack. The default has a hyphen in place of each
    character that CloudFormation does not accept. Default:
    ``PROJECT-ENVIRONMENT-buildkite-QUEUE``."""

    address: str | None = None
    """The stack's resource name in Terraform, ``aws_cloudformation_stack.ADDRESS``. The default
    has a hyphen in place of each character that Terraform does not accept. To change the address of
    a deployed stack without replacing it, set ``moved_from`` to its present address. Default: the
    queue's name."""

    moved_from: str | None = None
    """The stack's address in an existing state, such as
    ``aws_cloudformation_stack.bk_queue["gpu-1"]``. The default is that of the documented layout, or
    none with ``template_defaults``. With an empty string, the stack does not move. Default:
    ``aws_cloudformation_stack.buildkite_agents["QUEUE"]``."""

    provider: str | None = None
    """The provider configuration, such as ``aws.us_east_1``. Default: ``aws``."""

    tags: Mapping[str, str] | str | None = None
    """All tags of the stack, or a Terraform reference to them. Default: the tags of the AgentStack,
    and Name, Queue and ElasticCIStack."""

    ignore_changes: Sequence[str] = ()
    """Arguments of the stack for Terraform's ``ignore_changes``, such as ``tags["owner"]``.
    Default: none."""

    timeout_minutes: int = option(default=90, least=1)
    """The minutes that Terraform waits for CloudFormation to create, update or delete the stack. An
    update that replaces instances waits for the new instances, for at most 15 minutes unless you
    set ``InstanceCreationTimeout``, and for jobs on the old ones, for at most an hour. Default:
    90."""

    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    """Any template parameters that no field sets, by name. They override this program's defaults.
    With None, the template's own default applies. Default: none."""

    accepted_warnings: Collection[str] = ()
    """The names of accepted warnings, which are then not printed. Default: none."""

    def __post_init__(self) -> None:
        # dataclasses.replace passes both; a new queue with the name of another one has that name.
        follows = isinstance(self.architecture, _Derived)
        if not self.architecture or follows:
            derived = instance_types.architecture(str(self.all_instance_types[0]))
            self._set("architecture", _Derived(derived))
        if not self.name or (follows and isinstance(self.name, _Derived)):
            name = f"{self.architecture}-{self._instance}-linux" if self._instance else ""
            self._set("name", _Derived(name))
        elif isinstance(self.name, _Derived):
            self._set("name", str(self.name))

    def _set(self, name: str, value: str) -> None:
        # The documented way to set a field of a frozen dataclass.
        object.__setattr__(self, name, value)

    @property
    def name_is_given(self) -> bool:
        """Whether the name was set, and not derived from the instance type."""
        return not isinstance(self.name, _Derived)

    @property
    def architecture_is_given(self) -> bool:
        """Whether the architecture was set, and not derived from the instance type."""
        return not isinstance(self.architecture, _Derived)

    @property
    def all_instance_types(self) -> tuple[str, ...]:
        """The instance types in order of preference; without one, the template's."""
        if self.instance_type is None:
            return (TEMPLATE_INSTANCE_TYPE,)
        # The checks, which run later, refuse values of other types.
        more = (
            self.more_instance_types if isinstance(self.more_instance_types, list | tuple) else ()
        )
        return (self.instance_type, *more)

    @property
    def agent_tags(self) -> str:
        """The tags by which jobs can select this queue's agents, in Buildkite's notation."""
        instance = f",instance={self._instance}" if self._instance else ""
        return f"arch={self.architecture},os=linux{instance}"

    @property
    def _instance(self) -> str | None:
        if self.instance_type is None or is_reference(self.instance_type):
            return None
        return str(self.instance_type).replace(".", "-")


FIELDS = {
    "BuildkiteQueue": "name",
    "InstanceTypes": "instance_type",
    "InstanceType": "instance_type",
    **{o.parameter: name for name, o in options(AgentQueue).items() if o.parameter is not None},
}
"""The parameters that only a field of AgentQueue sets, and that field."""
