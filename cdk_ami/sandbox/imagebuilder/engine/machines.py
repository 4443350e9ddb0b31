"""The files of instances and AMIs, where the sandbox is asked to run components for real.

Every build or test instance has files of its own: a copy of what its AMI was made of.  The files of the newest AMIs are
kept, so that the tests of a build, and a later build from its AMI, find what the build left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Final, Protocol

from cdk_ami.runtime.component.chroot import Chroot, check_root, copy_root, remove_root
from cdk_ami.runtime.component.docker import Docker, docker
from cdk_ami.runtime.component.place import Place, PlaceError
from cdk_ami.runtime.component.runner import Memory
from cdk_ami.runtime.component.where import parse_where

AMIS_KEPT: Final = 4
"""AMIs whose files are kept; an instance of an older one starts from what every first build starts from."""


@dataclass(slots=True, kw_only=True)
class Machine:
    """An instance that runs components.

    Attributes:
        place: Its files and processes.
        memories: What the steps of each component took and left, by the component's ARN.
    """

    place: Place
    memories: dict[str, Memory] = field(default_factory=dict)


class Files(Protocol):
    """Where instances get their files from; a file system is named by a text."""

    first: str

    def open(self, files: str) -> Place:
        """Return a place, ready, on a copy of a file system."""
        ...

    def keep(self, place: Place, image_id: str) -> str:
        """Return the name of a new file system with the files of a place."""
        ...

    def remove(self, files: str) -> None:
        """Remove a file system that was kept."""
        ...


class RootFiles:
    """File systems that are directories.

    Args:
        root: What first builds start from.
    """

    def __init__(self, root: Path) -> None:
        check_root(root)
        self.first = str(root.resolve())

    def open(self, files: str) -> Place:
        """Return a place on a copy of a directory."""
        return Chroot.copy_of(Path(files)).__enter__()

    def keep(self, place: Place, image_id: str) -> str:  # noqa: ARG002 - containers take it as their name
        """Return a copy of a place's directory."""
        if not isinstance(place, Chroot):
            raise TypeError("the place is no directory")
        return str(copy_root(place.root))

    def remove(self, files: str) -> None:
        """Remove a copy."""
        remove_root(Path(files))


class ContainerFiles:
    """File systems that are images of containers.

    Args:
        image: What first builds start from.
    """

    def __init__(self, image: str) -> None:
        self.first = image

    def open(self, files: str) -> Place:
        """Return a new container of an image."""
        return Docker(files, host_network=True).__enter__()

    def keep(self, place: Place, image_id: str) -> str:
        """Return an image with the files of a container."""
        if not isinstance(place, Docker):
            raise TypeError("the place is no container")
        name = f"cdk-ami-sandbox:{image_id}"
        place.save(name)
        return name

    def remove(self, files: str) -> None:
        """Remove an image."""
        docker(files, "image", "rm", "--force", files, check=False)


class Machines:
    """All instances that run components, and the AMIs whose files are kept."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._files: Files | None = None
        self._running: dict[str, Machine] = {}
        self._kept: dict[str, str] = {}

    @property
    def asked(self) -> bool:
        """Whether components are run at all."""
        return self._files is not None

    def use(self, where: str | None) -> None:
        """Run components on copies of ``where``, ``chroot:DIR`` or ``docker:IMAGE``; None runs none.

        Raises:
            WhereError: When it names no place.
            PlaceError: When the place is of no use here.
        """
        found = None if where is None else parse_where(where)
        if found is not None and found.kind == "host":
            raise PlaceError("components of the sandbox do not run on the host: every build would change it")
        self.forget()
        with self._lock:
            if found is None:
                self._files = None
            else:
                self._files = RootFiles(Path(found.name)) if found.kind == "chroot" else ContainerFiles(found.name)

    def on(self, instance_id: str, ancestors: Callable[[], list[str]]) -> Machine:
        """Return the machine of an instance, made when it is first asked for.

        Args:
            instance_id: The instance.
            ancestors: Tells the AMI that it was launched from, and those which that one was made from.

        Raises:
            PlaceError: When its files cannot be had.
        """
        with self._lock:
            if instance_id in self._running:
                return self._running[instance_id]
            files = self._files
        if files is None:
            raise PlaceError("components are not run")
        kept = [self._kept[image_id] for image_id in ancestors() if image_id in self._kept]
        machine = Machine(place=files.open(kept[0] if kept else files.first))
        with self._lock:
            self._running[instance_id] = machine
        return machine

    def keep(self, instance_id: str, image_id: str) -> None:
        """Keep the files of an instance with the AMI that was made of it.

        Raises:
            PlaceError: When they cannot be kept.
        """
        with self._lock:
            machine, files = self._running.get(instance_id), self._files
            if machine is None or files is None:
                return
            self._kept[image_id] = files.keep(machine.place, image_id)
            while len(self._kept) > AMIS_KEPT:
                files.remove(self._kept.pop(next(iter(self._kept))))

    def drop(self, instance_id: str) -> None:
        """Forget the files of an instance that is gone."""
        with self._lock:
            machine = self._running.pop(instance_id, None)
        if machine is not None:
            with suppress(PlaceError):
                machine.place.__exit__(None, None, None)

    def forget(self) -> None:
        """Forget all instances and AMIs, and remove their files."""
        for instance_id in list(self._running):
            self.drop(instance_id)
        with self._lock:
            kept, self._kept = self._kept, {}
            for name in kept.values():
                if self._files is not None:
                    self._files.remove(name)


MACHINES: Final = Machines()
"""Those of this process."""
