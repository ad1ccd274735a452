"""Downloading the text of a page."""

import urllib.error
import urllib.parse
import urllib.request

from buildkite_agents.errors import ConfigError


def download(url: str, *, limit: int) -> str:
    """The text of a page, at most *limit* bytes of it.

    Raises:
        ConfigError: the URL is not of http or https, or there is no such text.
    """
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigError(f"an http or https URL was expected, got {url!r}")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # nosec B310
            return str(answer.read(limit).decode())
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ConfigError(f"cannot fetch {url}: {error}") from None
