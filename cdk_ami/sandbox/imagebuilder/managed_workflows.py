"""The workflows that Amazon manages; pure.

Names, steps and stages are the service's, the documents the sandbox's own words for them.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-workflows.html, read 2026-11-28
"""

from __future__ import annotations

from functools import cache
from typing import Final

from cdk_ami.sandbox.imagebuilder.workflow_documents import WorkflowDocument, read_workflow

BUILD: Final = "workflow/build/build-image"
TEST: Final = "workflow/test/test-image"
DISTRIBUTION: Final = "workflow/distribution/distribute-image"

_INSTANCE: Final = 'instanceId.$: "$.stepOutputs.{step}.instanceId"'


def _build(name: str, *, health: str, metadata: bool, update_agent: bool = False) -> str:
    instance = _INSTANCE.format(step="LaunchBuildInstance")
    update = f"""
  - name: UpdateSSMAgent
    action: RunCommand
    inputs: {{documentName: AWS-UpdateSSMAgent, {instance}}}"""
    inventory = f"""
  - name: InventoryCollection
    action: CollectImageMetadata
    if: {{booleanEquals: true, value: $.imagebuilder.collectImageMetadata}}
    inputs: {{{instance}}}"""
    return f"""name: {name}
schemaVersion: 1.0
steps:
  - name: LaunchBuildInstance
    action: LaunchInstance
    inputs: {{waitFor: ssmAgent, healthCheck: {health}}}{update if update_agent else ""}
  - name: ApplyBuildComponents
    action: ExecuteComponents
    inputs: {{{instance}}}{inventory if metadata else ""}
  - name: RunSanitizeScript
    action: SanitizeInstance
    inputs: {{{instance}}}
  - name: RunSysPrepScript
    action: RunSysPrep
    if: {{stringEquals: Windows, value: $.imagebuilder.platform}}
    inputs: {{{instance}}}
  - name: CreateOutputAMI
    action: CreateImage
    inputs: {{{instance}}}
  - name: TerminateBuildInstance
    action: TerminateInstance
    onFailure: Continue
    inputs: {{{instance}}}
"""


def _test(name: str, *, health: str, scan: bool) -> str:
    instance = _INSTANCE.format(step="LaunchTestInstance")
    findings = f"""
  - name: CollectImageScanFindings
    action: CollectImageScanFindings
    if: {{booleanEquals: true, value: $.imagebuilder.collectImageScanFindings}}
    inputs: {{{instance}}}"""
    return f"""name: {name}
schemaVersion: 1.0
steps:
  - name: LaunchTestInstance
    action: LaunchInstance
    inputs: {{waitFor: ssmAgent, healthCheck: {health}}}{findings if scan else ""}
  - name: ApplyTestComponents
    action: ExecuteComponents
    inputs: {{{instance}}}
  - name: TerminateTestInstance
    action: TerminateInstance
    onFailure: Continue
    inputs: {{{instance}}}
"""


_DISTRIBUTE: Final = """name: distribute-image
schemaVersion: 1.0
steps:
  - name: DistributeImage
    action: DistributeImage
  - name: ModifyImageAttributes
    action: ModifyImageAttributes
    inputs: {distributedImages.$: $.stepOutputs.DistributeImage.distributedImages}
  - name: ApplyImageConfigurations
    action: ApplyImageConfigurations
    inputs: {distributedImages.$: $.stepOutputs.DistributeImage.distributedImages}
"""

TEXTS: Final = {
    BUILD: _build("build-image", health="STATUS_CHECK_PASSED", metadata=True),
    "workflow/build/build-image-with-update-ssm-agent": _build(
        "build-image-with-update-ssm-agent", health="STATUS_CHECK_PASSED", metadata=True, update_agent=True
    ),
    "workflow/build/express-build-image": _build("express-build-image", health="RUNNING", metadata=False),
    TEST: _test("test-image", health="STATUS_CHECK_PASSED", scan=True),
    "workflow/test/express-test-image": _test("express-test-image", health="RUNNING", scan=False),
    DISTRIBUTION: _DISTRIBUTE,
}
"""Documents by kind and name."""


@cache
def document(kind_and_name: str) -> WorkflowDocument:
    """Return the document of a managed workflow such as ``workflow/build/build-image``."""
    return read_workflow(TEXTS[kind_and_name], workflow_type=kind_and_name.split("/")[1].upper())
