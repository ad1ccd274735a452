"""Terraform's ``import`` blocks, for a deployment whose state was lost."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImportBlock:
    """An existing resource, to be imported into the state."""

    to: str
    """The resource's address."""

    id: str
    """The resource's import id."""

    unreadable: tuple[str, ...] = ()
    """The arguments that an import does not read, so that a plan would set them again.

    They include tags: after an import, the provider does not list tags that equal default tags.
    """
