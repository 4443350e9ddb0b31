"""The stack that holds the key of a golden image in one Region."""

from __future__ import annotations

from aws_cdk import CfnOutput, Environment, Stack
from constructs import Construct

from cdk_ami import Distribution, ImageKey


class KeyStack(Stack):
    """The key that encrypts the AMIs of one image in one Region, deployed before the image.

    The image names it by its alias, so no stack takes a value from another.  The key outlives the stack.

    Args:
        scope: The app or stage.
        construct_id: Name of the stack.
        image: Name of the image.
        distribution: Where its AMIs go, which tells who uses the key.
        build_region: Region that builds the image.
        env: Account and Region.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: str,
        distribution: Distribution,
        build_region: str,
        env: Environment,
    ) -> None:
        super().__init__(
            scope, construct_id, env=env, description=f"Holds the key of the golden image {image} in {env.region}"
        )
        self.key = ImageKey(self, "Key", image=image, distribution=distribution, build_region=build_region)
        CfnOutput(self, "KeyArn", value=self.key.key_arn, description="Named by the KeyGrant of a fleet elsewhere")
