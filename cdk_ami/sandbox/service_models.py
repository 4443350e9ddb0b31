"""botocore's models of the services, each read once per process: for our engines, our clients and the emulator alike.

A model is large, that of EC2 24 MB, and every session of botocore's, and every look of the emulator's, would read its
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel
from moto.core import utils
from moto.core.loaders import Loader, create_loader

from cdk_ami.sandbox import emulator


@cache
def session() -> botocore.session.Session:
    """Return the session of this process, whose loader keeps what it has read."""
    return botocore.session.Session()


@cache
def service_model(service: str) -> ServiceModel:
    """Return the model of a service, named as boto3 names it.

    Raises:
        UnknownServiceError: When botocore knows none.
    """
    return session().get_service_model(service)


def install() -> None:
    """Let the emulator read models where we do, with what it adds to some of them."""
    # Nothing is replaced there: this is the check that the one name is as we call it.
    find = Loader._find_extras  # noqa: SLF001 - moto's only way to what it adds
    emulator.replace(Loader, "_find_extras", find, takes=("service_name", "type_name", "api_version"))
    additions = create_loader()

    def load(service_name: str, model_name: str) -> Mapping[str, Any]:
        loader = session().get_component("data_loader")
        found: Mapping[str, Any] = loader.load_service_model(service_name, model_name)
        version = loader.determine_latest_version(service_name, model_name)
        for added in find(additions, service_name, model_name, version):
            found = _merged(found, added.get("merge", {}))
        return found

    emulator.replace(utils, "_load_service_model", load, takes=("service_name", "model_name"))


def _merged(base: Mapping[str, Any], added: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``base`` with ``added`` in it; what is not touched is shared, and ``base`` stays as it is."""
    return {
        **base,
        **{
            key: _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
            for key, value in added.items()
        },
    }
