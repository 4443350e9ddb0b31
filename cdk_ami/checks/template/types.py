"""Names of the resource types that the rules look at."""

from __future__ import annotations

from typing import Final

COMPONENT: Final = "AWS::ImageBuilder::Component"
CONTAINER_RECIPE: Final = "AWS::ImageBuilder::ContainerRecipe"
DISTRIBUTION: Final = "AWS::ImageBuilder::DistributionConfiguration"
IMAGE: Final = "AWS::ImageBuilder::Image"
INFRASTRUCTURE: Final = "AWS::ImageBuilder::InfrastructureConfiguration"
LIFECYCLE: Final = "AWS::ImageBuilder::LifecyclePolicy"
PIPELINE: Final = "AWS::ImageBuilder::ImagePipeline"
RECIPE: Final = "AWS::ImageBuilder::ImageRecipe"
WORKFLOW: Final = "AWS::ImageBuilder::Workflow"

IMAGE_BUILDER: Final = (
    COMPONENT,
    CONTAINER_RECIPE,
    DISTRIBUTION,
    IMAGE,
    INFRASTRUCTURE,
    LIFECYCLE,
    PIPELINE,
    RECIPE,
    WORKFLOW,
)

AUTO_SCALING_GROUP: Final = "AWS::AutoScaling::AutoScalingGroup"
LAUNCH_CONFIGURATION: Final = "AWS::AutoScaling::LaunchConfiguration"
LAUNCH_TEMPLATE: Final = "AWS::EC2::LaunchTemplate"
INSTANCE: Final = "AWS::EC2::Instance"
SECURITY_GROUP: Final = "AWS::EC2::SecurityGroup"
INGRESS: Final = "AWS::EC2::SecurityGroupIngress"
BLOCK_SNAPSHOTS: Final = "AWS::EC2::SnapshotBlockPublicAccess"

ROLE: Final = "AWS::IAM::Role"
POLICY: Final = "AWS::IAM::Policy"
MANAGED_POLICY: Final = "AWS::IAM::ManagedPolicy"
INSTANCE_PROFILE: Final = "AWS::IAM::InstanceProfile"

KEY: Final = "AWS::KMS::Key"
PARAMETER_STORE: Final = "AWS::SSM::Parameter"
LOG_GROUP: Final = "AWS::Logs::LogGroup"
BUCKET: Final = "AWS::S3::Bucket"
BUCKET_POLICY: Final = "AWS::S3::BucketPolicy"
TOPIC: Final = "AWS::SNS::Topic"
TOPIC_POLICY: Final = "AWS::SNS::TopicPolicy"
EVENT_RULE: Final = "AWS::Events::Rule"
RECYCLE_BIN: Final = "AWS::Rbin::Rule"

PARAMETER: Final = "Parameter"
"""What rules call a parameter of the template, which they see as a resource."""
