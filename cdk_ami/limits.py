"""Limits and magic values of the services, each with the page that states it.

All were read on 2026-11-22.  IB is https://docs.aws.amazon.com/imagebuilder/latest/APIReference/, EC2 is
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/.
"""

from __future__ import annotations

from typing import Final

RESOURCE_NAME: Final = r"[-_A-Za-z0-9][-_A-Za-z0-9 ]{1,126}[-_A-Za-z0-9]"
"""Name of an Image Builder resource.  IB API_CreateImageRecipe.html#imagebuilder-CreateImageRecipe-request-name"""

AMI_NAME: Final = r"[-_A-Za-z0-9{][-_A-Za-z0-9\s:{}\.]+[-_A-Za-z0-9}]"
"""Name of an output AMI.  IB API_AmiDistributionConfiguration.html"""

AMI_NAME_MAX: Final = 127
"""Longest name of an output AMI.  IB API_AmiDistributionConfiguration.html"""

BUILD_DATE: Final = "{{ imagebuilder:buildDate }}"
"""What each AMI name must hold, or the second build collides.  IB API_AmiDistributionConfiguration.html"""

PARAMETER_NAME: Final = r"[a-zA-Z0-9_.\-/]+"
"""Name of an SSM parameter.  IB API_SsmParameterConfiguration.html"""

PARAMETER_NAME_MAX: Final = 1011
"""Longest name of an SSM parameter.  IB API_SsmParameterConfiguration.html"""

INLINE_DOCUMENT_MAX_CHARS: Final = 16_000
"""Longest inline component or workflow document.  IB API_CreateComponent.html"""

COMPONENTS_PER_RECIPE: Final = 20
"""Components in one recipe, by default.  https://docs.aws.amazon.com/general/latest/gr/imagebuilder.html"""

RESERVED_TAG_PREFIX: Final = "aws:"
"""Prefix of tag keys that only AWS may write.  https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""

RESERVED_RESOURCE_TAGS: Final = frozenset({"CreatedBy", "Ec2ImageBuilderArn", "Name", "Tags"})
"""Tag keys that Image Builder writes on its build resources.  IB API_CreateInfrastructureConfiguration.html"""

RESOURCE_TAGS_MAX: Final = 30
"""Resource tags of a build environment.  IB API_CreateInfrastructureConfiguration.html"""

AMI_TAGS_MAX: Final = 50
"""Tags of one AMI.  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html"""

VOLUME_GIB: Final = (1, 16_000)
"""Size of an EBS volume in a recipe.  IB API_EbsInstanceBlockDeviceSpecification.html"""

VOLUME_IOPS: Final = (100, 64_000)
"""IOPS of an EBS volume in a recipe.  IB API_EbsInstanceBlockDeviceSpecification.html"""

VOLUME_THROUGHPUT_MIB: Final = (125, 1_000)
"""Throughput of a gp3 volume in a recipe.  IB API_EbsInstanceBlockDeviceSpecification.html"""

VOLUME_RATE_MIB: Final = (100, 300)
"""Rate at which a volume is initialized, in MiB/s.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_LaunchTemplateEbsBlockDeviceRequest.html"""

TARGET_ACCOUNTS_MAX: Final = 1_536
"""Accounts of one distribution target, copies and permissions alike.  IB API_AmiDistributionConfiguration.html"""

ORGANIZATIONS_MAX: Final = 25
"""Organizations, and organizational units, of one launch permission.  IB API_LaunchPermissionConfiguration.html"""

LAUNCH_TEMPLATE_ID: Final = r"lt-[a-z0-9-_]{17}"
"""Id of a launch template.  IB API_LaunchTemplateConfiguration.html"""

LAUNCH_TEMPLATES_PER_REGION: Final = 100
"""Launch templates of one distribution target.  IB API_Distribution.html"""

LICENSE_CONFIGURATION_ARN: Final = (
    r"arn:aws[^:]*:license-manager:(?P<region>[^:]+):[0-9]{12}:license-configuration:lic-[a-z0-9-_]{32}"
)
"""ARN of a license configuration.  IB API_Distribution.html"""

LICENSE_CONFIGURATIONS_PER_REGION: Final = 50
"""License configurations of one distribution target.  IB API_Distribution.html"""

FAST_LAUNCHES_PER_REGION: Final = 1_000
"""Fast launch settings of one distribution target.  IB API_Distribution.html"""

FAST_LAUNCH_PARALLEL_MIN: Final = 6
"""Fewest instances at a time that prepare fast launch.  EC2 API_EnableFastLaunch.html"""

FAST_LAUNCH_SNAPSHOTS: Final = (1, 10_000)
"""Prepared snapshots of one AMI.  IB API_FastLaunchSnapshotConfiguration.html"""

KEY_ALIAS: Final = r"alias/[A-Za-z0-9/_-]{1,250}"
"""Alias of a key.  https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html"""

KEY_POLICY_MAX_BYTES: Final = 32_768
"""Longest key policy.  https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html"""

KEY_WAITING_DAYS: Final = (7, 30)
"""Days from the deletion of a key to its end.
https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""

SNAPSHOT_COPIES_AT_ONCE: Final = 20
"""Snapshot copies under way into one Region.  https://docs.aws.amazon.com/general/latest/gr/ebs-service.html"""

AMI_COPIES_AT_ONCE: Final = 50
"""AMI copies under way into one Region of an account.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/CopyingAMIs.html"""

LOG_GROUP: Final = r"[a-zA-Z0-9\-_/\.]{1,512}"
"""Name of a log group.  https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"""

IMAGE_BUILDER_LOG_PREFIX: Final = "/aws/imagebuilder/"
"""Prefix of the log groups that the service-linked role may write.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html"""

IMAGE_BUILDER_PARAMETER_PREFIX: Final = "/imagebuilder/"
"""Prefix of the parameters that the service-linked role may write.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html"""

FAILURES_BEFORE_DISABLE: Final = (1, 10)
"""Failed scheduled builds that disable a pipeline.  IB API_AutoDisablePolicy.html"""

AMI_NAME_MIN: Final = 3
"""Shortest name of an AMI.  EC2 API_CreateImage.html"""

PARAMETER_DEPTH_MAX: Final = 15
"""Levels of a parameter's path.
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html"""

ACCOUNT_ID: Final = r"[0-9]{12}"
"""Id of an account.  https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html"""

TAG_KEY: Final = r"[\w\s.:/=+\-@]+"
"""Key of a tag: letters of any script.  https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""

TAG_KEY_MAX: Final = 128
"""Longest key of a tag.  https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""

TAG_VALUE_MAX: Final = 256
"""Longest value of a tag.  https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html"""

AMI_DESCRIPTION_MAX: Final = 1_024
"""Longest description of an output AMI.  IB API_AmiDistributionConfiguration.html"""

AMI_ID: Final = r"ami-(?:[0-9a-f]{17}|[0-9a-f]{8})"
"""Id of an AMI.  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html"""

ORGANIZATION_ARN: Final = r"arn:aws[^:]*:organizations::[0-9]{12}:organization/o-[a-z0-9]{10,32}"
"""ARN of an organization.  IB API_LaunchPermissionConfiguration.html"""

ORGANIZATIONAL_UNIT_ARN: Final = (
    r"arn:aws[^:]*:organizations::[0-9]{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}"
)
"""ARN of an organizational unit.  IB API_LaunchPermissionConfiguration.html"""

CHANNEL_NAME: Final = r"[A-Za-z0-9_.-]{1,64}"
"""Name of a channel: one part of a parameter's name, and short enough to be said.  Our own bound."""

HOP_LIMIT: Final = (1, 64)
"""Hops that an answer of the metadata service may make.  IB API_InstanceMetadataOptions.html"""

# fmt: off
LOG_RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)
# fmt: on
"""Days that CloudWatch Logs can keep events.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

LOG_PREFIX: Final = r"[A-Za-z0-9!_.'()-](?:[A-Za-z0-9!_.'()/-]{0,1022}[A-Za-z0-9!_.'()-])?"
"""Prefix of log objects, of S3's safe characters.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

PIPELINE_ARN: Final = (
    r"arn:(?P<partition>aws[^:]*):imagebuilder:(?P<region>[^:]+):(?P<account>[0-9]{12})"
    r":image-pipeline/(?P<name>[a-z0-9-_]+)"
)
"""ARN of a pipeline.  IB API_GetImagePipeline.html"""

TIME_ZONE: Final = r"[a-zA-Z0-9]{2,}(?:/[a-zA-Z0-9\-_+]+)*"
"""Time zone of a schedule.  IB API_Schedule.html"""

WORKING_DIRECTORY_MAX: Final = 1_024
"""Longest working directory of a recipe.  IB API_CreateImageRecipe.html"""

HEALTHY_PERCENT_MIN: Final = (0, 100)
"""Least share of a group that stays healthy while instances are replaced.
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceMaintenancePolicy.html"""

HEALTHY_PERCENT_MAX: Final = (100, 200)
"""Largest share of a group that exists while instances are replaced.
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceMaintenancePolicy.html"""

HEALTHY_PERCENT_SPAN: Final = 100
"""Most that lies between the two.
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstanceMaintenancePolicy.html"""

USER_DATA_MAX_BYTES: Final = 16_384
"""User data of an instance before its encoding.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html"""

DOCUMENT_MAX_CHARS: Final = 64_000
"""Longest component document, inline or in S3, by default.  IB API_CreateComponent.html#request-uri"""

VARIABLE_NAME: Final = r"[A-Za-z0-9_-]{3,128}"
"""Name of a parameter or constant of a component document.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/toe-user-defined-variables.html"""

DESCRIPTION_MAX_CHARS: Final = 1_024
"""Longest description of an Image Builder resource.  IB API_CreateComponent.html"""

INLINE_POLICIES_MAX_CHARS: Final = 10_240
"""Characters, blanks left out, of all inline policies of one role together.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, read 2026-11-28"""

ROLE_ARN: Final = r"arn:aws[^:]*:iam::(?P<account>[0-9]{12}):role/[\w+=,.@/-]+"
"""ARN of a role.  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html, read 2026-11-28"""

OVERRIDE_USER_DATA_MAX_CHARS: Final = 21_847
"""Longest user data of a build instance, as base64.  IB API_AdditionalInstanceConfiguration.html"""

PARAMETER_ADVANCED_BYTES: Final = 8_192
"""Longest value of an advanced parameter.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""

ALARMS_PER_CALL: Final = 100
"""Most alarms that are asked for by name.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""

SCAN_SEVERITIES: Final = ("critical", "high", "medium", "all")
"""What findings of a scan are counted by.  IB API_SeverityCounts.html"""

BAKE_SECONDS_MAX: Final = 7 * 86_400
"""Longest bake time of a promotion: ours, well within the year that an execution may take.
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

PATIENCE_SECONDS_MIN: Final = 60
"""Least time that a promotion waits for a fleet or a scan: ours, one look."""

PATIENCE_SECONDS_MAX: Final = 7 * 86_400
"""Longest time that a promotion waits for a fleet or a scan: ours."""

APPROVAL_SECONDS_MIN: Final = 5 * 60
"""Least time that people have to answer: ours."""

APPROVAL_SECONDS_MAX: Final = 30 * 86_400
"""Longest time that people have to answer: ours."""

LOOKED_UP_AMI: Final = "ami-1234"
"""What the CDK writes for an AMI that it has yet to look up.
https://docs.aws.amazon.com/cdk/v2/guide/context.html, read 2026-11-28"""
