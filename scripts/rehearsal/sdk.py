"""What an installed cloud SDK says of a resource type: its inputs, and which outputs the cloud fills.

The SDK's classes are the only schema there is without the provider's binary. ``Output[T]`` on a getter means that the
cloud always gives a value, ``Output[Optional[T]]`` that it may give none: inventing one of the second kind would hide
what a program left out.
"""

import gc
import importlib
import inspect
import re
import sys
import threading
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from pulumi import _types
from pulumi.runtime import rpc

from components.naming import cache_folder

BYTECODE = cache_folder() / "bytecode"
"""Of the SDKs, for the program and for the recorder: to compile a cloud's at each run takes longer than the run."""


class UnknownType(Exception):
    """No installed SDK has the resource type; the message names the package that would."""


_LOADING = threading.RLock()
"""SDKs load their modules lazily: another thread would see one half loaded, and what warnings do is one for all."""


@dataclass(frozen=True)
class Shape:
    """Names as on the wire (camelCase); types are Python's. ``filled``: the outputs that the cloud always gives.
    ``open``: further inputs are no mistake."""

    inputs: Mapping[str, Any]
    required: frozenset[str]
    outputs: Mapping[str, Any]
    filled: Mapping[str, Any]
    open: bool = False


_CUSTOM = re.compile(r"kubernetes:[a-z0-9-]+(\.[a-z0-9-]+)+/v\w+:[A-Z]\w*")
_OF_A_CUSTOM_RESOURCE = Shape(
    inputs={"apiVersion": str, "kind": str, "metadata": Any},
    required=frozenset({"apiVersion", "kind", "metadata"}),
    outputs={},
    filled={},
    open=True,
)
"""Of it the SDK knows this much alone; the API server knows the rest, where it has the definition."""


@cache
def shape(token: str) -> Shape:
    """Raises ``UnknownType``."""
    if _CUSTOM.fullmatch(token) and token not in _classes("kubernetes"):
        return _OF_A_CUSTOM_RESOURCE
    resource = _resource_class(token)
    arguments = _arguments(resource)
    return Shape(
        inputs=_types.input_type_types(arguments),
        required=required(arguments),
        outputs=_types.resource_types(resource),
        filled=filled(resource),
    )


def required(arguments: type) -> frozenset[str]:
    """The inputs without which the class cannot be made."""
    names = _types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters
    return frozenset(
        names[name] for name, found in parameters.items() if name in names and found.default is inspect.Parameter.empty
    )


def filled(outputs: type) -> Mapping[str, Any]:
    """The outputs, of a resource or of an object inside one, that the cloud always gives, with their types."""
    getters = {name: member.fget for name, member in vars(outputs).items() if isinstance(member, property)}
    always = {
        getattr(getter, _types._PULUMI_NAME, name)
        for name, getter in getters.items()
        if getter is not None and "Optional" not in str(getter.__annotations__.get("return"))
    }
    types = _types.output_type_types(outputs) if _types.is_output_type(outputs) else _types.resource_types(outputs)
    return {name: kind for name, kind in types.items() if name in always}


def _resource_class(token: str) -> type:
    found = _classes(token.partition(":")[0]).get(token)
    if found is None:
        raise UnknownType(f"{token}: the installed SDK has no such resource type")
    module, name = found
    return _loaded(module, name)


@cache
def _classes(package: str) -> Mapping[str, tuple[str, str]]:
    """Token → module and class, as the package registers them with the SDK's runtime when it is imported."""
    name = f"pulumi_{package.replace('-', '_')}"
    try:
        _loaded(name, "__name__")
    except ModuleNotFoundError as missing:
        raise UnknownType(f"package {package!r}: {name} is not installed (dependency group `clouds`)") from missing
    modules = [module for found in rpc._RESOURCE_MODULES.values() for module in found]
    infos: list[dict[str, Any]] = [getattr(module, "mod_info", {}) for module in modules]
    return {
        token: (info["fqn"], class_name)
        for info in infos
        if info.get("pkg") == package
        for token, class_name in info["classes"].items()
    }


def _loaded(module: str, attribute: str) -> Any:
    """An SDK warns of those of its own modules that are deprecated as soon as it reads them."""
    with _LOADING, _quick(), warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return getattr(importlib.import_module(module), attribute)


@contextmanager
def _quick() -> Generator[None]:
    """Bytecode is kept, whatever the environment says, and the collector leaves alone what stays until the end."""
    before = sys.pycache_prefix, sys.dont_write_bytecode
    sys.pycache_prefix, sys.dont_write_bytecode = str(BYTECODE), False
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        sys.pycache_prefix, sys.dont_write_bytecode = before
        gc.freeze()
        if collects:
            gc.enable()


def _arguments(resource: type) -> type:
    """``BucketArgs`` of ``Bucket``; the generator calls it ``BucketInitArgs`` where an input type has that name."""
    module = sys.modules[resource.__module__]
    for suffix in ("InitArgs", "Args"):
        found = getattr(module, resource.__name__ + suffix, None)
        if found is not None and found.__module__ == module.__name__:
            return found
    raise UnknownType(f"{resource.__module__}.{resource.__name__} has no class of arguments")
