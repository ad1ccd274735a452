"""Rules for a queue's version of the Elastic CI Stack: its images, its Linux, its warm pools."""

from collections.abc import Iterator

from buildkite_agents import elastic_ci_stack
from buildkite_agents.checks.combinations import rule
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.elastic_ci_stack.stacks import linux, needs_new_image
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack

_TEMPLATE = (
    "https://github.com/buildkite/elastic-ci-stack-for-aws/blob/main/templates/aws-stack.yml"
)
_WITH_DNF = "Amazon Linux 2023"


@rule(
    ("ImageId", "ImageIdParameter"),
    "An image that was built from the image of v6 or older cannot boot from v7.0.0 on: "
    "`image_stack_version` is required.",
    "https://buildkite.com/docs/agent/self-hosted/aws/elastic-ci-stack/ec2-linux-and-windows/"
    "v6-v7-upgrade-guide",
)
def _image_of_another_version(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    built_from, version = queue.queue.image_stack_version, queue.version.version
    if not queue.has_own_image:
        if built_from is not None:
            yield "image_stack_version requires an image: set ImageId or ImageIdParameter"
        return
    image = next(filter(queue.is_certain, ("ImageId", "ImageIdParameter")))
    if built_from is None and needs_new_image(elastic_ci_stack.known_versions()[0], version):
        yield (
            f"{queue.field(image)}: image_stack_version is required with {version}, which cannot "
            "boot images that were built from older versions: set it to the version of the image "
            "that yours was built from"
        )
    elif built_from is not None and needs_new_image(built_from, version):
        yield (
            f"{queue.field(image)}: an image that was built from the image of {built_from} cannot "
            f"boot with {version}: build one from the image of {version}, and set both in one "
            "change"
        )


@rule(
    ("WarmPoolEnabled", "OnDemandPercentage"),
    "A warm pool requires On-Demand Instances: `OnDemandPercentage` must be 100.",
    _TEMPLATE,
)
def _warm_pool(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    percentage = queue.number("OnDemandPercentage")
    if queue.text("WarmPoolEnabled") != "true":
        return
    if percentage is not None and percentage != 100:
        yield (
            f"{queue.field('OnDemandPercentage')} must be 100 with WarmPoolEnabled, got "
            f"{percentage:g}"
        )
    least, prepared = (
        queue.number(f"WarmPool{name}") for name in ("MinSize", "MaxGroupPreparedCapacity")
    )
    if prepared is None or prepared < 0:
        prepared = queue.number("MaxSize")
    if least is not None and prepared is not None and least > prepared:
        yield (
            f"{queue.field('WarmPoolMinSize')} must be at most WarmPoolMaxGroupPreparedCapacity, "
            f"or max_size where that is -1, got {least:g} and {prepared:g}"
        )


@rule(
    ("LinuxDistribution",),
    "`ubuntu2404`, and versions before v6.0.0, require a bootstrap script that does not use dnf.",
    _TEMPLATE,
)
def _distribution(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    image = linux(queue.version.version)
    if image != _WITH_DNF and queue.script_needs_dnf and not queue.has_own_image:
        yield (
            f"bootstrap_script runs dnf, and the images of {queue.version.version} are {image}: "
            "set another bootstrap_script, or None, or a newer stack_version"
        )
    if queue.text("LinuxDistribution") == "ubuntu2404" and queue.script_needs_dnf:
        yield (
            f"{queue.field('LinuxDistribution')} must be 'amazonlinux2023' with this "
            "bootstrap script, which runs dnf: set another bootstrap_script, or None"
        )


@rule(
    ("InstanceTypes", "ImageId"),
    "The template of `stack_version` must list the family of the first instance type as arm64, "
    "where it is arm64 and the queue has no image of your own.",
    _TEMPLATE,
)
def _architecture(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    types = queue.instance_types
    if not types or queue.has_own_image or queue.queue.architecture != instance_types.ARM64:
        return
    # The template derives the architecture from the first instance type only.
    family = instance_types.family(types[0])
    if family not in queue.version.arm64_instance_families:
        yield (
            f"{queue.field('InstanceTypes')}: Elastic CI Stack {queue.version.version} does not "
            f"recognize {family!a} as arm64 and would boot an amd64 image on it: choose another "
            "instance type or stack version, or set ImageId"
        )
