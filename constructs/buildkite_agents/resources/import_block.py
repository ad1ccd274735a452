"""Terraform's ``import`` blocks, for a deployment whose state was lost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImportBlock:
    """An existing resource, to be imported into the state."""

    to: str
    """Its address."""

    id: str
    """Its id in the provider's form."""

    unreadable: tuple[str, ...] = ()
    """The arguments that an import does not read, and that a plan would so set anew.

    Of the tags, the provider takes those that are its default tags too for the default ones only.
    """
