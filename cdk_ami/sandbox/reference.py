"""The page of what the sandbox has, `docs/reference/sandbox.md`.

Written by ``python -m cdk_ami.sandbox.reference > docs/reference/sandbox.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final

from cdk_ami.sandbox.cloudformation.plan import REFUSED_TYPES
from cdk_ami.sandbox.cloudformation.resources.base import HANDLERS, Handler
from cdk_ami.sandbox.cloudformation.schemas import FALLBACK_REGION, Schema, schema
from cdk_ami.sandbox.imagebuilder.operations import OPERATIONS
from cdk_ami.sandbox.service_models import service_model
from cdk_ami.sandbox.stepfunctions.operations import OPERATIONS as STEP_FUNCTIONS

_HEAD: Final = """\
# The sandbox

What [the local AWS](../how-to/try-it-without-an-account.md) does as AWS does it, what in part, and what it refuses.

Written by `python -m cdk_ami.sandbox.reference`.

## Services

| service | faithful | in part | refused or absent |
|---|---|---|---|
| CloudFormation | change sets, outputs, exports, updates, replacement with clean-up, roll back, deletion policies, stored parameters, dynamic references, conditions, mappings, rules; custom resources with Python handlers, and the CDK's own providers answered in their place; notifications and events of stacks; language extensions but for loops | service roles are noted and not assumed; a roll back watches no alarms of a refresh, of which AWS says nothing; failed clean-up is shown in events only | nested stacks, stack sets, macros, imports, drift, stack policies, rollback triggers, time-outs, creation policies |
| Image Builder | components, recipes, configurations, pipelines, images, distribution, launch templates, parameters, logs; schedules with dependency updates and auto-disable, by the sandbox's clock; workflows of one's own with conditions, parallel tests and `WaitForAction`; `DistributeImage`, `RetryImage`; lifecycle policies and `StartResourceStateUpdate`; roles of target accounts; all four events | documents are checked, and their commands run only with `--run-components`; scans find what was planted at `/_sandbox/imagebuilder/findings`; an execution role is held to its policies where they are enforced (`/_sandbox/iam`); license and export settings are refused | containers, imports of disks and VMs, Marketplace products as parents, resource policies, the operations below |
| Auto Scaling | groups spread over zones, mixed instances with weights, Spot shares, requirements and AMIs of their own, lifecycle hooks, warm pools, standby, termination policies, suspended processes, health checks, longest lifetimes, zones and types that fail on request, instance refresh by both strategies with its bounds, checkpoints, bake time, alarms and rollback, activities, events and messages to topics | a refresh waits for the warm-up that it names itself, else for `CDK_AMI_SANDBOX_WARMUP_SECONDS`, and fails at once where AWS tries to launch for an hour; alarms and schedules do not scale; there are no prices: the smallest fitting type comes first | `LaunchInstances`, traffic sources, forecasts; functions as termination policies or as targets of hooks |
| EC2 | AMIs and snapshots with states by the sandbox's clock, lineage, watermarks, copies (time-based, 20 snapshots at once, keys that fail them later), sharing with accounts, organizations and units, deprecation, disabling, deregistration protection with its cool-down, Allowed AMIs, block public access, references, usage reports; encryption by default; key policies and grants; fast snapshot restore, volume initialization rates, fast launch; root volume replacement; volumes and network interfaces of their own at instances; instance metadata defaults; client tokens; launch templates; `resolve:ssm:`; events of AMIs and snapshots | instances and networks are records: nothing boots, no traffic flows; a copy takes what `CDK_AMI_SANDBOX_IMAGE_SECONDS` says; criteria of Allowed AMIs by Marketplace product or scan result are refused | storing, restoring, importing and exporting images, Local Zones and Outposts, snapshot locks; what moto does not have |
| Recycle Bin | rules by tag or for the Region, exclusions, locks with their delay; AMIs and snapshots that wait, come back or expire by the sandbox's clock | | volumes |
| Lambda | Python handlers in a child process with code, layers, variables and keys of the role; errors, time-outs and logs as the runtime's; events tried again, dead letters and destinations; versions and aliases | any version of Python is this machine's; memory and network are noted; resource policies are kept and not enforced | other runtimes, container images, event source mappings, function URLs |
| EventBridge | rules by every operator of event patterns and by schedules; state machines, functions, topics, queues, log groups and other buses as targets, with their policies and roles; inputs, retries, dead-letter queues, archives; schedules of EventBridge Scheduler, also for any operation; delivery twice, late, lost or out of order on request | a replay takes the whole archive; flexible windows are not used | other targets, API destinations, pipes, schemas |
| Step Functions | the Amazon States Language with JSONPath, all intrinsic functions, callbacks, nested machines, SDK integrations of every service that the sandbox has, history, express machines; waits follow the sandbox's clock | distributed maps run within the execution; settings of logs and tracing are kept and nothing is written; a time limit ends waits and not a call | JSONata, variables, activities, versions and aliases, redriving, item readers and result writers |
| SSM | parameters with history, labels, tiers and events; values of `aws:ec2:image` that stand after a check; sharing by RAM with accounts, organizations and units, without invitations; public parameters of Amazon Linux, Ubuntu, Debian and Windows | the rest as [moto](https://docs.getmoto.org/) has it; parameter policies are kept and do not act | what moto does not have |
| Elastic Load Balancing | application and network load balancers, target groups, listeners that forward, redirect or answer; the health of targets, which the checks of groups read | no traffic flows: a target is healthy until its instance is said to fail `ELB`; the rest as [moto](https://docs.getmoto.org/) has it | listeners that sign users in; rules, trust stores and certificates of listeners in templates |
| CloudWatch | alarms on one metric, looked at when data come and periods end, with missing data as they say; their events, topics and functions | alarms of metric math and composite alarms are kept and change on request only; other actions are kept and not done | what moto does not have |
| SNS | queues and functions as subscribers, where their policies let the topic in | addresses beyond this machine are not called; the rest as [moto](https://docs.getmoto.org/) has it | what moto does not have |
| STS, S3, IAM, KMS, SQS, CloudWatch Logs, ECR | roles of other accounts, keys of other accounts where their policies let, grants; `SimulatePrincipalPolicy` for roles | as [moto](https://docs.getmoto.org/) has them; policies are enforced for the roles that one chooses | what moto does not have |
| Service Quotas | the quotas of snapshot copies, AMIs and vCPUs, as an account has them at first, or as `/_sandbox/quotas` says | nothing is held to them | other quotas, requests for more |
| CloudTrail | LookupEvents over the calls of this process, at once | trails are kept as moto keeps them | looking up by resources |
"""  # noqa: E501 - rows of a table

_CONTROL: Final = """\
## Requests to the sandbox itself

JSON over HTTP at `/_sandbox/`; [test your image pipeline](../how-to/test-your-image-pipeline.md) does the same from Python.

| path | method | what it does |
|---|---|---|
| `clock` | `GET`, `POST` `{"advance": SECONDS}` or `{"speed": FACTOR}` | tells the time, moves it on |
| `faults` | `POST` a fault, `GET`, `DELETE` one by `?id=` or all | causes, tells and ends faults |
| `calls` | `GET`, `DELETE` | tells the last 10,000 calls of services, selected by `?service=`, `operation=`, `region=`, `account=`, `engine=`; forgets them |
| `iam` | `POST` `{"enforce": [ROLE_ARN]}` or `{"enforce": "all-roles"}`, `GET`, `DELETE` | judges calls made with roles by their policies |
| `ec2/products` | `POST` `{"image": AMI, "code": CODE, "subscribers": [ACCOUNT]}` | makes an AMI a product of the Marketplace, launched by its subscribers only |
| `quotas` | `POST` `{"service": "ec2", "quota": NAME, "value": NUMBER}`, with `region` and `account` | gives an account another value of a quota |
| `autoscaling/health` | `POST` `{"instance": ID, "check": "EC2" or "ELB", "healthy": false}` | lets an instance of a group fail a health check, or pass it again |
| `autoscaling/zone` | `POST` `{"zone": NAME, "state": "down"}`, `"up"` or `"shifted"` | takes a zone away: its instances fail and nothing can be launched there; brings it back; shifts groups away from it that allow zonal shifts |
| `autoscaling/capacity` | `POST` `{"region": NAME, "instance_type": TYPE, "available": false}`, `"zone"` for one only | lets EC2 run short of a type, or have it again |
| `imagebuilder/findings` | `POST` `{"image": NAME, "findings": [{"severity", "fix", "vulnerability", "package", "version", "title"}]}`, `"account"`, `"region"` | says what every scan of images of that name finds from now on, or of all images without a name; an empty list takes it back |
| `imagebuilder/lifecycle` | `POST` `{"policy": ARN}` | runs a lifecycle policy now, enabled or not |
| `events/delivery` | `POST` any of `{"duplicate", "delay", "lose", "lose_next", "reorder", "seed"}`, `GET` | makes deliveries of EventBridge happen so many times more, so many seconds later, not at all at a rate or for the next so many, or in pairs the wrong way round; tells which were given up |
| `events/log` | `GET` | tells the events since the last reset |
| `state` | `POST` `{"save": PATH}` or `{"load": PATH}` | writes all that the sandbox holds, unless something runs or waits for the clock; forgets everything and takes up such a file. A Python pickle: load only files that you saved yourself, with the same moto and Python |
| `idle` | `GET` `?seconds=60` | answers when no stack, build or event is on its way, or with what still is; an execution that waits for the clock is not: advance the clock |

A fault has one of these, and what it is narrowed to: `service`, `operation`, `region`, `account`, `parameters`; `callers`
(`outside`, `engines`: the sandbox's own services, or `all`); `first` so many, `skip` so many before, `probability` with a `seed`.

| fault | effect | callers unless said |
|---|---|---|
| `{"error": {"code", "message", "status"}}` | the operation answers with that error | `outside` |
| `{"throttle": {"rate", "burst"}}` | what comes too often is refused in the service's own words; `{}` refuses every call | `outside` |
| `{"latency": SECONDS}` | the answer takes longer, by the sandbox's clock | `outside` |
| `{"lose_answer": true}` | the work is done and the connection drops | `outside` |
| `{"down": "unavailable"}` or `{"down": "dropped"}` | 503, or no answer | `all` |
| `{"copies": "failed"}` or `{"copies": "pending"}` | copies of AMIs fail, or stay pending until the fault is ended | `all` |

Policies are judged by actions, resources and conditions: of roles, inline and managed, with permissions boundaries, session
policies, trust, and the policies of buckets, keys, topics and queues. Resources are told for CloudFormation, EC2, Auto Scaling,
EventBridge, IAM, Image Builder, KMS, Lambda, Logs, S3, SNS, SQS, SSM, Step Functions and STS; elsewhere the first parameter that is
an ARN counts, else `*`. A condition key or operator that is not known is refused with `SandboxCannotDecide`.
"""  # noqa: E501 - rows of a table

_TYPES: Final = """\
## CloudFormation types

Top-level properties that a type takes: "whole" when these are all that its schema lets one set. Those that are neither
changed in place nor by replacement are refused when an update changes them.
"""


_OWN: Final = (
    ("Image Builder", "imagebuilder", frozenset(OPERATIONS)),
    ("Step Functions", "stepfunctions", frozenset(STEP_FUNCTIONS)),
)
"""The services that are ours altogether and whose operations are counted one by one: title, name, what is done."""


def sandbox_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([_HEAD, _CONTROL, *_types(), *_operations()])


def _types() -> Iterator[str]:
    yield _TYPES
    yield "| type | properties | refused | refused to change |\n|---|---|---|---|"
    for name, handler in sorted(HANDLERS.items()):
        yield _row(name, handler)
    refused = ", ".join(f"{words} (`{name}`)" for name, words in sorted(REFUSED_TYPES.items()))
    yield f"\nOf the types that are no resources of a service, none: {refused}.\n"


def _row(name: str, handler: Handler) -> str:
    found = schema(name, FALLBACK_REGION)
    settable = frozenset() if found is None else _settable(found)
    missing = settable - handler.handles
    taken = "whole" if found is not None and not missing else _names(handler.handles)
    fixed: frozenset[str] = frozenset()
    if found is not None and handler.updates is not None:
        fixed = (handler.handles & settable) - handler.updates - found.create_only - found.conditional
    return f"| `{name}` | {taken} | {_names(missing)} | {_names(fixed)} |"


def _settable(found: Schema) -> frozenset[str]:
    return frozenset(found.body.get("properties", {})) - (found.read_only - found.create_only)


def _operations() -> Iterator[str]:
    for title, service, done in _OWN:
        known = frozenset(service_model(service).operation_names)
        yield f"## {title} operations\n"
        yield f"Done: {_names(known & done)}.\n"
        yield f"Refused: {_names(known - done)}.\n"


def _names(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


if __name__ == "__main__":
    sys.stdout.write(sandbox_page())
