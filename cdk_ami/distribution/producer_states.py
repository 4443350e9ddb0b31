"""The state machine of an image producer: from an AMI id to the image in every target; pure.

It calls AWS itself and needs no code of ours at run time.  What it is told is where the AMI id stands:

- ``{"source": "ami-..."}``, ``{"source": "ssm:PARAMETER"}`` or ``{"source": ARN}`` of an image resource;
- ``{"build": ID}`` of a CodeBuild build that exports the variable ``AMI_ID``;
- ``{"bucket": NAME, "key": KEY}`` of an object that holds ``{"ami": "ami-..."}``.

Started again with the same AMI it finds the delivery of before: one that stands is told again, one that failed is
retried, one on its way is waited for.  https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cdk_ami.asl import State, call, choose, failure, one_of, poll, present, put, when
from cdk_ami.distribution.handover import BAD, BUILD_VARIABLE, GONE, GOOD, delivery_tag, token_formula
from cdk_ami.naming import IMAGE_TAG

_FAILED: Final = "Failed"
_SLOWEST_SECONDS: Final = 300
_AMI_SECONDS: Final = 30
_SUBJECT_MAX: Final = 100
"""Characters of the subject of a message.  https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

AMI_NOT_AVAILABLE: Final = "CdkAmi.AmiNotAvailable"
DISTRIBUTION_FAILED: Final = "CdkAmi.DistributionFailed"
DISTRIBUTION_GONE: Final = "CdkAmi.DistributionGone"
NO_SOURCE: Final = "CdkAmi.NoSource"
NOT_ENCRYPTED: Final = "CdkAmi.NotEncrypted"
TIMED_OUT: Final = "CdkAmi.TimedOut"
"""Errors by which executions of this machine fail, beside those of the services it calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerMachine:
    """What the state machine of a producer works with.

    Attributes:
        partition: Partition, such as ``aws``.
        region: Region of the producer.
        account: Its account.
        image: Name of the image.
        configuration_name: Name of the distribution configuration.
        configuration_arn: Its ARN.
        fingerprint: What stands for its contents.
        role_arn: The execution role.
        log_group: Log group of distributions.
        topic_arn: Topic that hears how each ended; None for nobody.
        patience_seconds: How long a distribution may take.
        keyless: Regions whose copies no key encrypts, and that an unencrypted AMI is therefore kept from.
    """

    partition: str
    region: str
    account: str
    image: str
    configuration_name: str
    configuration_arn: str
    fingerprint: str
    role_arn: str
    log_group: str
    topic_arn: str | None
    patience_seconds: int
    keyless: tuple[str, ...] = ()

    def definition(self) -> dict[str, Any]:
        """Return the definition."""
        return {
            "Comment": f"Distributes AMIs of {self.image}",
            "StartAt": "Begin",
            "States": {**self._source(), **self._ami(), **self._delivery(), **self._progress(), **self._end()},
        }

    def _call(self, action: str, parameters: dict[str, Any], **rest: Any) -> State:
        return call(action, parameters, partition=self.partition, **{"failed": _FAILED, **rest})

    def _source(self) -> dict[str, State]:
        source = "$.input.source"
        here = f"@.Region=='{self.region}' && @.AccountId=='{self.account}'"
        variable = f"@.Name=='{BUILD_VARIABLE}'"
        return {
            "Begin": {
                "Type": "Pass",
                "Parameters": {"input.$": "$", "poll": {"seconds": 15, "waited": 0}},
                "Next": "Source",
            },
            "Source": choose(
                when(source, "StringMatches", "ami-*", then="TakeAmi"),
                # The service takes the ARN of a parameter as well; there is no function here that could cut it out.
                when(source, "StringMatches", "ssm:arn:*", then="NoSource"),
                when(source, "StringMatches", "ssm:*", then="ReadParameter"),
                when(source, "StringMatches", "arn:*", then="ReadImage"),
                present("$.input.build", then="ReadBuild"),
                present("$.input.bucket", then="ReadObject"),
                otherwise="NoSource",
            ),
            "TakeAmi": put({"ami.$": source}, at="$.chosen", then="FindAmi"),
            "ReadParameter": self._call(
                "aws-sdk:ssm:getParameter",
                {"Name.$": f"States.ArrayGetItem(States.StringSplit({source}, ':'), 1)"},
                take={"ami.$": "$.Parameter.Value"},
                at="$.chosen",
                then="FindAmi",
            ),
            "ReadImage": self._call(
                "aws-sdk:imagebuilder:getImage",
                {"ImageBuildVersionArn.$": source},
                take={"amis.$": f"$.Image.OutputResources.Amis[?({here})].Image"},
                at="$.listed",
                then="PickAmi",
            ),
            "ReadBuild": self._call(
                "aws-sdk:codebuild:batchGetBuilds",
                {"Ids.$": "States.Array($.input.build)"},
                take={"amis.$": f"$.Builds[0].ExportedEnvironmentVariables[?({variable})].Value"},
                at="$.listed",
                then="PickAmi",
            ),
            "ReadObject": self._call(
                "aws-sdk:s3:getObject",
                {"Bucket.$": "$.input.bucket", "Key.$": "$.input.key"},
                take={"object.$": "States.StringToJson($.Body)"},
                at="$.listed",
                then="PickAmi",
            ),
            "PickAmi": choose(
                present("$.listed.amis[0]", then="TakeListed"),
                present("$.listed.object.ami", then="TakeNamed"),
                otherwise="NoSource",
            ),
            "TakeListed": put({"ami.$": "$.listed.amis[0]"}, at="$.chosen", then="FindAmi"),
            "TakeNamed": put({"ami.$": "$.listed.object.ami"}, at="$.chosen", then="FindAmi"),
            "NoSource": failure(
                NO_SOURCE,
                "States.Format('no AMI of this Region is named by {}; give source, build, or bucket and key', "
                "States.JsonToString($.input))",
                then=_FAILED,
            ),
        }

    def _ami(self) -> dict[str, State]:
        pending = when("$.found.states[0]", "StringEquals", "pending", then="WaitForAmi")
        pending["And"].append({"Variable": "$.poll.waited", "NumericLessThan": self.patience_seconds})
        plain = {"plain.$": "$.Images[*].BlockDeviceMappings[?(@.Ebs.Encrypted==false)].DeviceName"}
        states: dict[str, State] = {
            "FindAmi": self._call(
                "aws-sdk:ec2:describeImages",
                {"ImageIds.$": "States.Array($.chosen.ami)"},
                take={"states.$": "$.Images[*].State", **(plain if self.keyless else {})},
                at="$.found",
                then="AmiState",
            ),
            "AmiState": choose(
                when(
                    "$.found.states[0]",
                    "StringEquals",
                    "available",
                    then="Encryption" if self.keyless else "NameDelivery",
                ),
                pending,
                otherwise="AmiNotAvailable",
            ),
            "WaitForAmi": {"Type": "Wait", "Seconds": _AMI_SECONDS, "Next": "CountWait"},
            "CountWait": put(
                {"seconds": 15, "waited.$": f"States.MathAdd($.poll.waited, {_AMI_SECONDS})"},
                at="$.poll",
                then="FindAmi",
            ),
            "AmiNotAvailable": failure(
                AMI_NOT_AVAILABLE,
                "States.Format('{} is not available here but {}', $.chosen.ami, States.JsonToString($.found.states))",
                then=_FAILED,
            ),
        }
        if self.keyless:
            # A copy of a snapshot is encrypted where the snapshot is, or where a key is named.
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CopyImage.html
            states["Encryption"] = choose(present("$.found.plain[0]", then="NotEncrypted"), otherwise="NameDelivery")
            states["NotEncrypted"] = failure(
                NOT_ENCRYPTED,
                "States.Format('{} is not encrypted at {}, and no key is named for its copies in "
                f"{', '.join(self.keyless)}; give the distribution kms_keys, hand in an encrypted AMI, or set "
                "allow_unencrypted=True', $.chosen.ami, States.ArrayGetItem($.found.plain, 0))",
                then=_FAILED,
            )
        return states

    def _delivery(self) -> dict[str, State]:
        tag = delivery_tag(self.configuration_name)
        not_found = "Imagebuilder.ResourceNotFoundException"
        look = {"ImageBuildVersionArn.$": "$.started.image"}
        state = {"state.$": "$.Image.State"}
        same = when("$.memory.parts[0]", "StringEqualsPath", "$.delivery.token", then="SameNamed")
        return {
            "NameDelivery": put(
                {"token.$": token_formula("$.chosen.ami", self.configuration_arn, self.fingerprint)},
                at="$.delivery",
                then="Recall",
            ),
            "Recall": self._call(
                "aws-sdk:ec2:describeTags",
                {
                    "Filters": [
                        {"Name": "resource-id", "Values.$": "States.Array($.chosen.ami)"},
                        {"Name": "key", "Values": [tag]},
                    ]
                },
                take={"values.$": "$.Tags[*].Value"},
                at="$.memory",
                then="Recalled",
            ),
            "Recalled": choose(present("$.memory.values[0]", then="SplitMemory"), otherwise="Distribute"),
            "SplitMemory": put(
                {"parts.$": "States.StringSplit($.memory.values[0], ' ')"}, at="$.memory", then="SameDelivery"
            ),
            "SameDelivery": choose(same, otherwise="Distribute"),
            "SameNamed": choose(present("$.memory.parts[1]", then="TakeMemory"), otherwise="Distribute"),
            "TakeMemory": put({"image.$": "$.memory.parts[1]"}, at="$.started", then="LookBack"),
            "LookBack": self._call(
                "aws-sdk:imagebuilder:getImage",
                look,
                take=state,
                at="$.look",
                then="LookedBack",
                caught={not_found: "Distribute"},
            ),
            "Distribute": self._call(
                "aws-sdk:imagebuilder:distributeImage",
                {
                    "SourceImage.$": "$.chosen.ami",
                    "DistributionConfigurationArn": self.configuration_arn,
                    "ExecutionRole": self.role_arn,
                    "LoggingConfiguration": {"LogGroupName": self.log_group},
                    "Tags": {IMAGE_TAG: self.image},
                    "ClientToken.$": "$.delivery.token",
                },
                take={"image.$": "$.ImageBuildVersionArn"},
                at="$.started",
                then="Remember",
            ),
            # The client token keeps a second start from a second copy for as long as the service remembers it; the tag
            # does for as long as the AMI lives.  An AMI with fifty tags takes none, and is distributed all the same.
            "Remember": self._call(
                "aws-sdk:ec2:createTags",
                {
                    "Resources.$": "States.Array($.chosen.ami)",
                    "Tags": [{"Key": tag, "Value.$": "States.Format('{} {}', $.delivery.token, $.started.image)"}],
                },
                then="LookFirst",
                failed="LookFirst",
            ),
            "LookFirst": self._call("aws-sdk:imagebuilder:getImage", look, take=state, at="$.look", then="LookedBack"),
            "LookedBack": choose(one_of("$.look.state.Status", BAD, then="Retry"), otherwise="Settled"),
            "Retry": self._call(
                "aws-sdk:imagebuilder:retryImage",
                {
                    **look,
                    # Each run of the machine retries once.
                    "ClientToken.$": "States.Hash(States.Format('{}|{}', $.started.image, $$.Execution.Id), 'SHA-256')",
                },
                then="Wait",
            ),
        }

    def _progress(self) -> dict[str, State]:
        return {
            "Look": self._call(
                "aws-sdk:imagebuilder:getImage",
                {"ImageBuildVersionArn.$": "$.started.image"},
                take={"state.$": "$.Image.State"},
                at="$.look",
                then="Settled",
            ),
            "Settled": choose(
                one_of("$.look.state.Status", GOOD, then="ReadAmis"),
                one_of("$.look.state.Status", BAD, then="ReasonGiven"),
                one_of("$.look.state.Status", GONE, then="DistributionGone"),
                {"Variable": "$.poll.waited", "NumericGreaterThanEquals": self.patience_seconds, "Next": "TimedOut"},
                otherwise="Wait",
            ),
            **poll("Look", slowest=_SLOWEST_SECONDS),
            "ReasonGiven": choose(present("$.look.state.Reason", then="Reason"), otherwise="NoReason"),
            "Reason": failure(
                DISTRIBUTION_FAILED,
                "States.Format('{} is {}: {}', $.started.image, $.look.state.Status, $.look.state.Reason)",
                then=_FAILED,
            ),
            "NoReason": failure(
                DISTRIBUTION_FAILED,
                "States.Format('{} is {}, and no reason is given', $.started.image, $.look.state.Status)",
                then=_FAILED,
            ),
            "DistributionGone": failure(
                DISTRIBUTION_GONE,
                "States.Format('{} was distributed before, as {}, which is {} now', $.chosen.ami, $.started.image, "
                "$.look.state.Status)",
                then=_FAILED,
            ),
            "TimedOut": failure(
                TIMED_OUT,
                f"States.Format('{{}} is still {{}} after {self.patience_seconds} seconds; start again with the same "
                "AMI to go on waiting', $.started.image, $.look.state.Status)",
                then=_FAILED,
            ),
        }

    def _end(self) -> dict[str, State]:
        done = {
            "name": self.image,
            "status": "AVAILABLE",
            "ami.$": "$.chosen.ami",
            "image.$": "$.started.image",
            "amis.$": "$.listed.amis",
        }
        failed = {"name": self.image, "status": "FAILED", "input.$": "$.input", "failure.$": "$.failure"}
        states: dict[str, State] = {
            "ReadAmis": self._call(
                "aws-sdk:imagebuilder:getImage",
                {"ImageBuildVersionArn.$": "$.started.image"},
                take={"amis.$": "$.Image.OutputResources.Amis"},
                at="$.listed",
                then="Result",
            ),
            "Result": put(done, at="$", then="Tell" if self.topic_arn else "Done"),
            "Done": {"Type": "Succeed"},
            _FAILED: put(failed, at="$.told", then="TellFailure" if self.topic_arn else "Fail"),
            "Fail": {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"},
        }
        if self.topic_arn:
            states["Tell"] = self._tell("distributed", "$", then="Done")
            states["TellFailure"] = self._tell("not distributed", "$.told", then="FailAsBefore")
            # Nobody heard of the failure, which stays the one that counts.
            states["FailAsBefore"] = {
                "Type": "Fail",
                "ErrorPath": "$.told.failure.Error",
                "CausePath": "$.told.failure.Cause",
            }
            del states["Fail"]
        return states

    def _tell(self, what: str, path: str, *, then: str) -> State:
        subject = f"{self.image} {what}"[:_SUBJECT_MAX]
        message = {"TopicArn": self.topic_arn, "Subject": subject, "Message.$": path}
        return self._call("sns:publish", message, then=then, failed=then)
