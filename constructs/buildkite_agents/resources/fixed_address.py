"""The addresses of this program's resources, which a program cannot change afterwards."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NoReturn

from cdktf import TerraformElement

from buildkite_agents.errors import ConfigError

_STAYS = "existing states, references and this program's other blocks have this address"
_OWN_BLOCK = "in a .tf file of your own beside the configuration"
_METHODS = {
    "override_logical_id": _STAYS,
    "reset_override_logical_id": _STAYS,
    "move_to": f"remove it from the program, and write a `moved` block {_OWN_BLOCK}",
    "move_to_id": f"remove it from the program, and write a `moved` block {_OWN_BLOCK}",
    "import_from": (f"set Deployment(import_account=...), or write an `import` block {_OWN_BLOCK}"),
}
_METHODS_OF_QUEUES = {
    **_METHODS,
    "override_logical_id": "set `address` of its AgentQueue",
    "reset_override_logical_id": "set `address` of its AgentQueue",
    # There can be one `moved` block to an address.
    "move_from_id": "set `moved_from` of its AgentQueue",
    "add_move_target": "set `moved_from` of its AgentQueue",
}


def fix_address(resource: TerraformElement, address: str, *, of_queue: bool = False) -> None:
    """Have the methods that change the *address* of a resource say what to do instead.

    As attributes of the object, and not of its class, they cost no round trip to Node.js.
    """
    for method, instead in (_METHODS_OF_QUEUES if of_queue else _METHODS).items():
        setattr(resource, method, partial(_refuse, address, method, instead))


def repeated(configuration: Mapping[str, Any], addresses: Iterable[str]) -> Iterator[str]:
    """The problems of resources of a configuration that its user repeats, by their *addresses*."""
    for address in addresses:
        resource_type, name = address.split(".")
        resource = configuration["resource"][resource_type][name]
        for argument in resource.keys() & {"count", "for_each"}:
            yield f"{address}: {argument} is not supported: {_STAYS}"


def _refuse(address: str, method: str, instead: str, *_: Any, **__: Any) -> NoReturn:
    raise ConfigError(f"{address}: {method}() is not supported: {instead}")
