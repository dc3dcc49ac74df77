"""Which optional packages are there, and whether models can be fetched from the hub."""

from __future__ import annotations

from importlib import metadata
from typing import NamedTuple

from packaging.requirements import Requirement

from polymodal.hub import address, closed

NOT_FOR_USERS = {"dev", "docs"}


class Extra(NamedTuple):
    """A group of optional packages, installed by ``pip install 'polymodal[NAME]'``.

    Args:
        name: of the extra.
        found: package -> its version, where it is installed and new enough.
        lacking: requirements that are not met.
    """

    name: str
    found: dict[str, str]
    lacking: tuple[str, ...]


def extras() -> list[Extra]:
    """Every extra, with what is there of it."""
    groups: dict[str, list[Requirement]] = {}
    named = set(metadata.metadata("polymodal").get_all("Provides-Extra") or ()) - NOT_FOR_USERS
    for line in metadata.requires("polymodal") or ():
        requirement = Requirement(line)
        for name in named:
            marker = requirement.marker
            if marker and marker.evaluate({"extra": name}) and not marker.evaluate({"extra": ""}):
                groups.setdefault(name, []).append(requirement)
    return [_extra(name, groups[name]) for name in sorted(groups)]


def _extra(name: str, requirements: list[Requirement]) -> Extra:
    found, lacking = {}, []
    for requirement in requirements:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            lacking.append(f"{requirement.name}{requirement.specifier}")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            found[requirement.name] = version
        else:
            lacking.append(f"{requirement.name}{requirement.specifier} (here: {version})")
    return Extra(name, found, tuple(lacking))


def hub() -> str:
    """Whether pretrained models can be fetched by name, in words."""
    reason = closed()
    if not reason:
        return f"{address()} answers: models can be named"
    return f"{reason}: give local folders"
