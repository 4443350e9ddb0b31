"""Lambda: functions, what belongs to them, and layers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, Final

from moto.awslambda.models import LambdaFunction

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters

DEFAULTS: Final[dict[str, Any]] = {
    "DeadLetterConfig": {},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "KmsKeyArn": "",
    "Layers": [],
    "LoggingConfig": {},
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SecurityGroupIds": [], "SubnetIds": []},
}
"""What a function has when its definition does not say.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html"""

CONFIGURATION: Final = frozenset({*DEFAULTS, "Handler", "ImageConfig", "Role", "Runtime"})
"""Properties of a function's configuration; the rest have calls of their own."""


@handles(
    "AWS::Lambda::Function",
    "Architectures Code DeadLetterConfig Description Environment EphemeralStorage FunctionName Handler ImageConfig "
    "KmsKeyArn Layers LoggingConfig MemorySize PackageType ReservedConcurrentExecutions Role Runtime Tags Timeout "
    "TracingConfig VpcConfig",
)
class Function(Handler):
    """A function, its code from a bucket or written into the template."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return the ways of naming code that the sandbox does not know."""
        for name in ("S3ObjectVersion", "SourceKMSKeyArn"):
            if name in properties["Code"]:
                yield f"Code/{name}: the sandbox does not support this property"
        if properties.get("PackageType", "Zip") == "Zip":
            for name in ("Handler", "Runtime"):
                if name not in properties:
                    yield f"{name}: is required for a function from an archive"

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the function."""
        client = context.client("lambda")
        name = new.get("FunctionName") or context.name(longest=64)
        kept = {key: new[key] for key in new.keys() & (CONFIGURATION | {"Architectures", "PackageType"})}
        parameters = api_parameters("lambda", "CreateFunction", kept)
        tags = context.tag_map(new.get("Tags"))
        client.create_function(
            FunctionName=name, Code=_code(new["Code"], new.get("Runtime", "")), **parameters, Tags=tags
        )
        context.began(name)
        if "ReservedConcurrentExecutions" in new:
            self._reserve(client, name, new)
        return self._made(context, name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put other code, and set what differs."""
        client = context.client("lambda")
        differ = changed(old, new)
        if differ & CONFIGURATION:
            wanted = {name: new.get(name, DEFAULTS.get(name)) for name in differ & CONFIGURATION}
            parameters = api_parameters("lambda", "UpdateFunctionConfiguration", wanted)
            client.update_function_configuration(FunctionName=physical_id, **parameters)
        if differ & {"Architectures", "Code"}:
            client.update_function_code(
                FunctionName=physical_id,
                Architectures=new.get("Architectures", ["x86_64"]),
                **_code(new["Code"], new.get("Runtime", "")),
            )
        if "ReservedConcurrentExecutions" in differ:
            self._reserve(client, physical_id, new)
        made = self._made(context, physical_id)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            client.tag_resource(Resource=made.attributes["Arn"], Tags=put)
        if remove:
            client.untag_resource(Resource=made.attributes["Arn"], TagKeys=remove)
        return made

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the function with its versions."""
        context.client("lambda").delete_function(FunctionName=physical_id)

    def _reserve(self, client: Any, name: str, new: Mapping[str, Any]) -> None:
        if "ReservedConcurrentExecutions" in new:
            number = int(new["ReservedConcurrentExecutions"])
            client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=number)
        else:
            client.delete_function_concurrency(FunctionName=name)

    def _made(self, context: Context, name: str) -> Made:
        return Made(physical_id=name, attributes={"Arn": context.arn("lambda", f"function:{name}")})


def _code(code: Mapping[str, Any], runtime: str) -> dict[str, Any]:
    if "ZipFile" not in code:
        return dict(code)
    if runtime.startswith("python"):
        # The emulator ships AWS's module cfnresponse, which is there beside code that stands in a template.
        return {"ZipFile": LambdaFunction._create_zipfile_from_plaintext_code(code["ZipFile"])}  # noqa: SLF001
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        files.writestr("index.js", code["ZipFile"])
    return {"ZipFile": made.getvalue()}


@handles("AWS::Lambda::Version", "CodeSha256 Description FunctionName")
class Version(Handler):
    """A version of a function, as it is when this resource is made."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Publish the version."""
        made = context.client("lambda").publish_version(**new)
        arn = made["FunctionArn"]
        return Made(physical_id=arn, attributes={"FunctionArn": arn, "Version": made["Version"]})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the version."""
        function, _, version = physical_id.rpartition(":")
        context.client("lambda").delete_function(FunctionName=function, Qualifier=version)


@handles("AWS::Lambda::Alias", "Description FunctionName FunctionVersion Name")
class Alias(Handler):
    """A name for a version of a function."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the alias."""
        arn = context.client("lambda").create_alias(**new)["AliasArn"]
        return Made(physical_id=arn, attributes={"AliasArn": arn})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Let the alias stand for another version."""
        context.client("lambda").update_alias(**{"Description": "", **new})
        return Made(physical_id=physical_id, attributes={"AliasArn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the alias."""
        context.client("lambda").delete_alias(FunctionName=properties["FunctionName"], Name=properties["Name"])


@handles(
    "AWS::Lambda::Permission",
    "Action EventSourceToken FunctionName Principal PrincipalOrgID SourceAccount SourceArn",
)
class Permission(Handler):
    """A statement of a function's policy."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Add the statement."""
        name = context.name(longest=100)
        context.client("lambda").add_permission(StatementId=name, **new)
        return Made(physical_id=name, attributes={"Id": name})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the statement."""
        context.client("lambda").remove_permission(FunctionName=properties["FunctionName"], StatementId=physical_id)


@handles(
    "AWS::Lambda::LayerVersion",
    "CompatibleArchitectures CompatibleRuntimes Content Description LayerName LicenseInfo",
)
class LayerVersion(Handler):
    """A version of a layer."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return the ways of naming content that the sandbox does not know."""
        if "S3ObjectVersion" in properties["Content"]:
            yield "Content/S3ObjectVersion: the sandbox does not support this property"

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Publish the version."""
        name = new.get("LayerName") or context.name(longest=140)
        arn = context.client("lambda").publish_layer_version(**{**new, "LayerName": name})["LayerVersionArn"]
        return Made(physical_id=arn, attributes={"LayerVersionArn": arn})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the version."""
        layer, _, number = physical_id.rpartition(":")
        name = layer.rpartition(":")[2]
        context.client("lambda").delete_layer_version(LayerName=name, VersionNumber=int(number))


@handles(
    "AWS::Lambda::EventInvokeConfig",
    "DestinationConfig FunctionName MaximumEventAgeInSeconds MaximumRetryAttempts Qualifier",
)
class EventInvokeConfig(Handler):
    """How often a function's events are tried again, and who hears of the end."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return qualifiers that the sandbox does not tell apart."""
        if properties["Qualifier"] != "$LATEST":
            yield "Qualifier: the sandbox knows one configuration of a function only, that of $LATEST"

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the configuration."""
        context.client("lambda").put_function_event_invoke_config(**new)
        return Made(physical_id=context.name())

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the configuration again."""
        context.client("lambda").put_function_event_invoke_config(**new)
        return Made(physical_id=physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the configuration."""
        where = {"FunctionName": properties["FunctionName"], "Qualifier": properties["Qualifier"]}
        context.client("lambda").delete_function_event_invoke_config(**where)
