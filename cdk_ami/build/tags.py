"""Which of an image's tags go where: to AMIs, to image resources, to what a build makes for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from cdk_ami.checks import builds, names
from cdk_ami.limits import RESERVED_RESOURCE_TAGS
from cdk_ami.naming import IMAGE_TAG

if TYPE_CHECKING:
    from cdk_ami.build.environment import BuildEnvironment
    from cdk_ami.checks.rule import Problem
    from cdk_ami.errors import Faults


class Tags(NamedTuple):
    """The tags of one image.

    Attributes:
        identity: What tells builds of this image from others.
        given: The user's, for AMIs.
        of_build: Tags of what a build makes: the user's without the keys that the service writes itself, and those of
            the build environment.
        of_environment: How many of these the environment brings.
        wrong: What AWS would refuse about those given.
    """

    identity: Mapping[str, str]
    given: Mapping[str, str]
    of_build: Mapping[str, str]
    of_environment: int
    wrong: tuple[Problem, ...]

    @classmethod
    def of(cls, image: str, given: Mapping[str, str], environment: BuildEnvironment) -> Tags:
        """Return the tags of the image ``image``, which is built in ``environment``."""
        free = {key: value for key, value in given.items() if key not in RESERVED_RESOURCE_TAGS}
        return cls(
            identity={IMAGE_TAG: image},
            given=dict(given),
            of_build={**free, **environment.resource_tags},
            of_environment=len(environment.resource_tags),
            wrong=names.tags(given),
        )

    @property
    def of_image(self) -> dict[str, str]:
        """Tags of an image resource."""
        return {**self.given, **self.identity}

    def find_faults(self, faults: Faults) -> None:
        """Record in ``faults`` what AWS would refuse, as faults of ``tags``."""
        faults.check("tags", self.wrong)
        faults.check("tags", builds.tags_of_build(len(self.of_build), own=self.of_environment))
