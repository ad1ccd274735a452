"""The user's settings of the package index and the network, for pip and uv.

Other settings, such as the target of an installation, do not affect this project.
"""

import ast
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

# pip's settings, which uv does not read: the variable for uv, and what separates its values.
_NETWORK_SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
_UV_SETTINGS = (
    *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_HTTP", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
    *("UV_OFFLINE", "UV_CONCURRENT"),
)


def index_settings(configuration: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables for pip and uv with the user's settings of the index and the network.

    They are those of pip's *configuration*, as it lists it, and uv's own in *environment*.
    """
    # Lines such as global.index-url='https://example.com'. Later sections override earlier ones.
    lines = [line.partition("=") for line in configuration.splitlines()]
    pip = {
        key[len(section) + 1 :]: ast.literal_eval(value).split()
        for section in ("global", "install", ":env:")
        for key, _, value in lines
        if key.startswith(section + ".")
    }
    if pip.get("no-index", ["0"])[0].lower() in {"1", "true", "yes", "on"}:
        pip |= {"index-url": ["file:///no-index"], "extra-index-url": []}
    uv = {name: environment[name] for name in environment if name.startswith(_UV_SETTINGS)}
    for old, new in (("UV_INDEX_URL", "UV_DEFAULT_INDEX"), ("UV_EXTRA_INDEX_URL", "UV_INDEX")):
        if value := uv.pop(old, ""):
            uv.setdefault(new, value)
    settings = {}
    for name, (variable, separator) in _NETWORK_SETTINGS.items():
        if pip.get(name):
            settings[variable] = separator.join(pip[name])
            settings[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(pip[name])
    settings |= {name: value for name, value in uv.items() if value}
    if uv.get("UV_DEFAULT_INDEX"):
        settings["PIP_INDEX_URL"] = uv["UV_DEFAULT_INDEX"]
    cache = Path(environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    try:
        (cache / "uv").mkdir(parents=True, exist_ok=True)
    except OSError:
        settings["UV_NO_CACHE"] = "1"
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        settings.setdefault("UV_SYSTEM_CERTS", "1")  # as pip
    # A damaged file that is a link into uv's cache would be damaged there too, and installed again.
    settings["UV_LINK_MODE"] = "copy"
    # pip reads no other settings.
    settings |= {"PIP_CONFIG_FILE": os.devnull, "PIP_ROOT_USER_ACTION": "ignore"}
    # pip searches all indexes for the version with the locked hash.
    return {**settings, "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_NO_CONFIG": "1"}
