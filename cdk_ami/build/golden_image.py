"""A golden image: what it is made from, how it is built, when, and where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, ArnFormat, Aws, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from constructs import Construct, IDependable

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.events import ImageArns
from cdk_ami.build.image import NamedImage, find_faults_of_name
from cdk_ami.build.infrastructure import Reads, render_infrastructure
from cdk_ami.build.permissions import readable
from cdk_ami.build.pipeline import Orders, render_build, render_pipeline
from cdk_ami.build.recipe import BOOT_TESTS, Contents, render_recipe
from cdk_ami.build.tags import Tags
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.checks import builds
from cdk_ami.checks import components as component_rules
from cdk_ami.distribution.channel import Tracking
from cdk_ami.distribution.distribution import Distribution, MadeImage
from cdk_ami.errors import ConfigError, Faults
from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.naming import ENTRY_CHANNEL, normalized
from cdk_ami.recipe.component import Component
from cdk_ami.recipe.volume import Volume, check_volumes, encryption_keys, with_key
from cdk_ami.source.platform import Platform

if TYPE_CHECKING:
    from aws_cdk import aws_sns as sns
    from aws_cdk.interfaces import aws_imagebuilder as refs

    from cdk_ami.distribution.channel_image import ChannelImage
    from cdk_ami.recipe.secrets import SecretSource
    from cdk_ami.source.image import SourceImage

_IN_ANY_ENVIRONMENT: Final = BuildEnvironment()
_BY_HAND: Final = BuildTrigger.manual()
# Kept here because a look into the construct tree costs a call for each child.
_NAMES: Final[WeakKeyDictionary[Stack, set[str]]] = WeakKeyDictionary()


@jsii.implements(ec2.IConnectable, iam.IGrantable)
class GoldenImage(NamedImage):
    """An image described once: recipe, build environment, pipeline and distribution.

    Everything is called after the image, in the normalized form of its name: recipe, infrastructure configuration,
    distribution, pipeline, log group and channels.  So an image's name is taken once in an account and Region.

    Image Builder itself costs nothing; a build costs its instance for 15 to 45 minutes, and each AMI costs its
    snapshots in every Region until somebody deletes it.

    As an ``iam.IGrantable`` the image is its build instance: ``bucket.grant_read(image)`` lets components read a
    bucket.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/what-is-image-builder.html

    Example:
        ::

            image = GoldenImage(
                stack,
                "Image",
                name="web",
                source=SourceImage.amazon_linux_2023(),
                components=[Component.from_file("components/apache.yaml")],
                distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
                trigger=BuildTrigger.on_change(),
            )

    Args:
        scope: Where the image goes.
        construct_id: Id of the construct in ``scope``.
        name: Name of the image, 3 to 128 letters, digits, blanks, hyphens and underscores, such as ``web-server``.
        source: What the build starts from.
        components: What is done to it, in this order; a component made elsewhere comes in by its ``component_ref``.
            Default: nothing, the source is tested and distributed as it is.
        tests: Components that must succeed on an instance of the new AMI before it is distributed.
            Default: AWS's boot test for the operating system, none with ``run_tests=False``.
        volumes: Volumes of the AMI.  Default, and root volume unless there is one: encrypted gp3 of the source's size.
        environment: Where the build runs.  Default: the default VPC of the Region, see ``BuildEnvironment``.
        distribution: Where the AMIs go; one made elsewhere comes in by its ``distribution_configuration_ref`` and
            should write the channel ``latest``.  Default: this stack's Region.
        trigger: What starts a build.  Default: nobody but a person or a program.
        tags: Tags of the AMIs in every target, of the image resources, and of the instances, volumes and snapshots of
            a build, there without the keys that the service writes itself, such as ``Name``.  A change reaches the
            next build and causes none, unless builds in a deployment have a schedule besides.  Default: none beside
            ``cdk-ami:image``, the image's name.
        working_directory: Absolute path that components run in.  Default: the service's choice, ``/tmp`` or ``C:/``.
        keep_ssm_agent: Whether the SSM agent stays in the image.  False removes it, and with it Session Manager.
            Default: True.
        run_tests: Whether a test instance proves each build.  Without it ``tests`` are not run.  Default: True.
        enhanced_metadata: Whether a build reports its operating system and packages.  Default: True.
        scan: Whether Inspector looks at the test instance for known vulnerabilities.  Needs Inspector's EC2 scanning in
            the account and is billed by it.  Default: False.
        notifications: Topic that hears of finished builds, a standard one; an encrypted one needs a key of this
            account, which is opened for the service here unless it is imported.  Default: none.
        execution_role: Role that runs the whole build workflow instead of the service-linked role.  Only for sources
            and accounts that the service-linked role cannot reach: it needs all that
            ``EC2ImageBuilderExecutionPolicy`` holds. Default: the service-linked role.

    Attributes:
        source: What the build starts from.
        recipe: The recipe.
        infrastructure: The infrastructure configuration.
        pipeline: The pipeline.
        build: The build within a deployment, None with any other trigger than ``BuildTrigger.on_change``.

    Raises:
        ConfigError: When AWS would refuse something, with all that is wrong.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        source: SourceImage,
        components: Sequence[Component | refs.IComponentRef] = (),
        tests: Sequence[Component | refs.IComponentRef] | None = None,
        volumes: Sequence[Volume] = (),
        environment: BuildEnvironment = _IN_ANY_ENVIRONMENT,
        distribution: Distribution | refs.IDistributionConfigurationRef | None = None,
        trigger: BuildTrigger = _BY_HAND,
        tags: Mapping[str, str] | None = None,
        working_directory: str | None = None,
        keep_ssm_agent: bool = True,
        run_tests: bool = True,
        enhanced_metadata: bool = True,
        scan: bool = False,
        notifications: sns.ITopic | None = None,
        execution_role: iam.IRole | None = None,
    ) -> None:
        stack = stack_of(scope)
        image_name = normalized(name)
        arns = _arns(stack, image_name)
        marks = Tags.of(image_name, tags or {}, environment)
        goes_to = distribution or Distribution.to_regions(arns.region)
        own_distribution = isinstance(goes_to, Distribution)
        if isinstance(goes_to, Distribution):
            # A wrong tag is told once, not in each target.
            goes_to = goes_to if marks.wrong else goes_to.tagged({**marks.identity, **marks.given})
        steps = _steps(components, tests, source.platform if run_tests else None)

        faults = Faults(scope, construct_id)
        find_faults_of_name(faults, name)
        taken = _NAMES.setdefault(stack, set())
        faults.check("name", builds.image_name_once(image_name, sorted(taken)))
        _find_faults_of_source(faults, source, arns=arns, has_role=execution_role is not None)
        _find_faults_of_steps(faults, steps, tests or (), stack=stack, source=source)
        check_volumes(faults, volumes, root_device=source.root_device, region=arns.region)
        subnet = environment.chosen_subnet()
        environment.find_faults(faults, prop="environment", architecture=source.architecture, subnet=subnet)
        keyed = _keyed(volumes, goes_to, region=arns.region, root_device=source.root_device)
        made = _made(arns, source, keyed)
        if isinstance(goes_to, Distribution):
            goes_to.find_faults(faults, image=image_name, made=made)
        if trigger.clock is not None:
            trigger.clock.find_faults(faults, prop="trigger.schedule")
        marks.find_faults(faults)
        if working_directory is not None:
            faults.check("working_directory", builds.working_directory(working_directory, source.platform))
        faults.check("scan", builds.scan_needs_tests(scan=scan, run_tests=run_tests))
        if notifications is not None:
            faults.check("notifications", builds.standard_topic(fifo=notifications.fifo))
        faults.raise_if_any()

        entry_channel = goes_to.entry_channel if isinstance(goes_to, Distribution) else ENTRY_CHANNEL
        super().__init__(scope, construct_id, arns=arns, entry_channel=entry_channel)
        taken.add(image_name)
        self.source = source

        bound_source = source.bind(self)
        bound = [one.render(self, stack, platform=source.platform) for one in steps]
        if not run_tests and any(one.has_tests for one in bound):
            Annotations.of(self).add_warning_v2(
                "cdk-ami::TestsNotRun", "components of this image hold tests, and run_tests=False runs none of them"
            )
        self.recipe = render_recipe(
            self,
            name=image_name,
            contents=Contents(
                parent_image=bound_source.parent_image,
                components=bound,
                volumes=keyed,
                root_device=source.root_device,
                # Tags of the distribution change without a new recipe, and so without a build.
                ami_tags=marks.identity if own_distribution else {**marks.identity, **marks.given},
                working_directory=working_directory,
                keep_ssm_agent=keep_ssm_agent,
            ),
        )
        place = render_infrastructure(
            self,
            arns=arns,
            environment=environment,
            subnet=subnet,
            architecture=source.architecture,
            reads=Reads(
                component_arns=tuple(dict.fromkeys(readable(one.arn) for one in bound)),
                object_arns=tuple(
                    dict.fromkeys(
                        f"arn:{arns.partition}:s3:::{asset.s3_bucket_name}/{asset.s3_object_key}"
                        for one in bound
                        for asset in one.assets
                    )
                ),
                inventory=enhanced_metadata,
            ),
            topic=notifications,
            resource_tags=marks.of_build,
        )
        self.infrastructure, self._place, self._environment = place.configuration, place, environment
        self._role: iam.IRole | None = None
        self._connections: ec2.Connections | None = None
        self.pipeline = render_pipeline(
            self,
            name=image_name,
            orders=Orders(
                recipe_arn=self.recipe.attr_arn,
                infrastructure_arn=self.infrastructure.attr_arn,
                distribution_arn=self._distribution_arn(goes_to, made),
                clock=trigger.clock,
                fingerprint=trigger.fingerprint(_destinations(goes_to)),
                # They reach scheduled builds alone, and a change of them builds within a deployment.
                image_tags=marks.of_image if trigger.clock else marks.identity,
                run_tests=run_tests,
                enhanced_metadata=enhanced_metadata,
                scan=scan,
            ),
            log_group=place.log_group,
            execution_role=execution_role,
        )
        self.build: imagebuilder.CfnImage | None = None
        if trigger.in_deployment:
            self.build = render_build(
                self,
                pipeline=self.pipeline,
                image_tags=marks.of_image,
                needs=(*place.needs, *((execution_role,) if execution_role else ())),
            )
        self._let_build_read({id(one): one for each in bound for one in each.secrets.values()}.values())

    @staticmethod
    def from_name(scope: Construct, construct_id: str, name: str, *, entry_channel: str = ENTRY_CHANNEL) -> NamedImage:
        """Return the image ``name`` that another stack or app builds in this stack's account and Region.

        Args:
            scope: Where the import goes.
            construct_id: Id of the import in ``scope``.
            name: Name of the image.
            entry_channel: Channel that its builds move.  Default: ``latest``.

        Raises:
            ConfigError: When the name is no name of an image.
        """
        faults = Faults(scope, construct_id)
        find_faults_of_name(faults, name)
        faults.raise_if_any()
        arns = _arns(stack_of(scope), normalized(name))
        return NamedImage(scope, construct_id, arns=arns, entry_channel=entry_channel)

    @staticmethod
    def from_pipeline_arn(
        scope: Construct, construct_id: str, pipeline_arn: str, *, entry_channel: str = ENTRY_CHANNEL
    ) -> NamedImage:
        """Return the image whose pipeline has the ARN ``pipeline_arn``, called as the pipeline is.

        Args:
            scope: Where the import goes.
            construct_id: Id of the import in ``scope``.
            pipeline_arn: ARN of the pipeline; it may be a token.
            entry_channel: Channel that its builds move.  Default: ``latest``.

        Raises:
            ConfigError: When it is no ARN of a pipeline.
        """
        faults = Faults(scope, construct_id)
        faults.check("pipeline_arn", builds.pipeline_arn(pipeline_arn))
        faults.raise_if_any()
        parts = stack_of(scope).split_arn(pipeline_arn, ArnFormat.SLASH_RESOURCE_NAME)
        arns = ImageArns(
            partition=parts.partition or Aws.PARTITION,
            region=parts.region or Aws.REGION,
            account=parts.account or Aws.ACCOUNT_ID,
            name=parts.resource_name or "",
        )
        return NamedImage(scope, construct_id, arns=arns, entry_channel=entry_channel)

    @property
    def pipeline_arn(self) -> str:
        """ARN of the pipeline."""
        return self.pipeline.attr_arn

    @property
    def connections(self) -> ec2.Connections:
        """The build instance's side of the network.

        Raises:
            ConfigError: When the image is built in the default VPC, where the service brings the security group.
        """
        if self._connections is None:
            groups = list(self._environment.security_groups)
            if self._place.security_group is not None:
                own = ec2.SecurityGroup.from_security_group_id(
                    self,
                    "BuildSecurityGroup",
                    self._place.security_group.attr_group_id,
                    allow_all_outbound=self._environment.all_outbound,
                )
                self._build_waits_for(own)
                groups.append(own)
            if not groups:
                raise ConfigError(
                    self.node.path,
                    "environment.vpc",
                    "is not given, so the build has no security group to open",
                    got=None,
                    fix="build in a network of this app: environment=BuildEnvironment(vpc=...)",
                )
            self._connections = ec2.Connections(security_groups=groups)
        return self._connections

    @property
    def role(self) -> iam.IRole:
        """Role of the build instance; what is granted to it later, a build within a deployment waits for."""
        if self._role is None:
            self._role = iam.Role.from_role_name(self, "BuildRole", self._place.role.ref)
            self._build_waits_for(self._role)
        return self._role

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The build instance's role, for grants to the build."""
        return self.role.grant_principal

    def machine_image(self, *, tracking: Tracking = Tracking.AT_DEPLOY) -> ChannelImage:
        """Return this image, by its entry channel, for anything that takes an ``ec2.IMachineImage``.

        Args:
            tracking: When the channel is read.  Default: at deploy.
        """
        return self.channel.machine_image(
            tracking=tracking,
            platform=self.source.platform,
            architecture=self.source.architecture,
            root_device=self.source.root_device,
        )

    def _let_build_read(self, secrets: Iterable[SecretSource]) -> None:
        for secret in secrets:
            secret.grant_read(self)

    def _build_waits_for(self, need: IDependable) -> None:
        if self.build is not None:
            self.build.node.add_dependency(need)

    def _distribution_arn(self, goes_to: Distribution | refs.IDistributionConfigurationRef, made: MadeImage) -> str:
        if not isinstance(goes_to, Distribution):
            return goes_to.distribution_configuration_ref.distribution_configuration_arn
        return goes_to.render(self, "Distribution", name=self.image_name, made=made).attr_arn


def _arns(stack: Stack, name: str) -> ImageArns:
    return ImageArns(partition=partition_of(stack), region=region_of(stack), account=account_of(stack), name=name)


def _keyed(
    volumes: Sequence[Volume],
    goes_to: Distribution | refs.IDistributionConfigurationRef,
    *,
    region: str,
    root_device: str,
) -> Sequence[Volume]:
    # The service encrypts copies by the keys of a distribution, and what a build captures by those of the recipe.
    key = goes_to.key_of(region) if isinstance(goes_to, Distribution) else None
    return with_key(volumes, key, root_device=root_device)


def _made(arns: ImageArns, source: SourceImage, volumes: Sequence[Volume]) -> MadeImage:
    rooted = any(volume.device in (None, source.root_device) for volume in volumes)
    return MadeImage(
        region=arns.region,
        account=arns.account,
        partition=arns.partition,
        platform=source.platform,
        volumes=len(volumes) + (not rooted),
        keys=encryption_keys(volumes, root_device=source.root_device),
    )


def _steps(
    components: Sequence[Component | refs.IComponentRef],
    tests: Sequence[Component | refs.IComponentRef] | None,
    tested_on: Platform | None,
) -> list[Component]:
    steps = [
        one if isinstance(one, Component) else Component.from_arn(one.component_ref.component_arn)
        for one in (*components, *(tests or ()))
    ]
    if tests is None and tested_on is not None and all(one.name != BOOT_TESTS[tested_on] for one in steps):
        steps.append(Component.aws_managed(BOOT_TESTS[tested_on]))
    return steps


def _find_faults_of_source(faults: Faults, source: SourceImage, *, arns: ImageArns, has_role: bool) -> None:
    source.find_faults(faults, account=arns.account, region=arns.region)
    if source.parameter_name is not None:
        faults.check("source", builds.source_parameter(source.parameter_name, has_execution_role=has_role))


def _find_faults_of_steps(
    faults: Faults,
    steps: Sequence[Component],
    tests: Sequence[Component | refs.IComponentRef],
    *,
    stack: Stack,
    source: SourceImage,
) -> None:
    faults.check("components", component_rules.components_count(len(steps)))
    faults.check("components", component_rules.components_once([one.identity for one in steps]))
    for one in steps:
        one.find_faults(faults, stack=stack, platform=source.platform, os_version=source.os_version)
    for index, test in enumerate(tests):
        # What lives elsewhere is not known well enough.
        if isinstance(test, Component) and test.document is not None:
            faults.check(f"tests[{index}]", builds.component_tests(test.name, has_tests=test.has_tests))


def _destinations(goes_to: Distribution | refs.IDistributionConfigurationRef) -> list[tuple[str, Sequence[str]]]:
    if not isinstance(goes_to, Distribution):
        return []
    return [(target.region, target.accounts) for target in goes_to.targets]
