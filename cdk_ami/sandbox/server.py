"""Serves the sandbox on the loopback address."""

from __future__ import annotations

import os
from threading import Thread
from types import TracebackType
from typing import Any, Final, Self

HOST: Final = "127.0.0.1"
"""The only address the sandbox ever listens on."""


class Sandbox:
    """One local AWS in this process, in a thread of its own.

    Args:
        port: Port on 127.0.0.1; 0 takes a free one.
        run_components: Root directory or container image, ``chroot:DIR`` or ``docker:IMAGE``, on copies of which builds
            run their components for real; None notes their steps and runs none.

    Raises:
        EmulatorMismatchError: When the emulator is not the one that the sandbox was made for.
        WhereError: When ``run_components`` names no place.
        PlaceError: When the place is of no use.

    Example:
        >>> with Sandbox() as sandbox:
        ...     client = boto3.client("ec2", endpoint_url=sandbox.endpoint, region_name="us-east-1")
    """

    def __init__(self, port: int = 0, *, run_components: str | None = None) -> None:
        # moto reads these once, on import.
        os.environ.setdefault("MOTO_ENABLE_AMI_VALIDATION", "true")
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        from cdk_ami.sandbox import emulator  # noqa: PLC0415 - imports moto

        # Before all else that imports parts of moto: here they share what is slow to make.
        emulator.install()
        from moto.moto_server import werkzeug_app  # noqa: PLC0415 - after the environment is set
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 - same
        from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415 - 50 ms that only a server needs

        from cdk_ami.sandbox import answers, clients, control  # noqa: PLC0415 - imports moto
        from cdk_ami.sandbox.door.application import Door  # noqa: PLC0415 - same
        from cdk_ami.sandbox.imagebuilder.engine.machines import MACHINES  # noqa: PLC0415 - same

        # The emulator has a handler of its own since 5.2.5.
        class QuietHandler(getattr(werkzeug_app, "MotoRequestHandler", WSGIRequestHandler)):  # type: ignore[misc]
            """A request handler that keeps connections open and logs nothing."""

            protocol_version = "HTTP/1.1"

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Log nothing: callers see their own requests."""

        def create_app(service: Any) -> Any:
            if not service:
                return answers.unknown_service
            app = create_backend_app(service)
            app.register_error_handler(Exception, answers.refuse_request)
            return app

        class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
            """Sends each request to the service that is meant by its signature."""

            def get_backend_for_host(self, host: str | None) -> Any:
                """Return the emulator's name of the service at ``host``, or None when it has none."""
                if host is None:
                    return None
                if host not in self.known:
                    url = f"http://{host}"
                    strange = "amazonaws.com" in host and not any(
                        pattern.match(url) for _, pattern in self.backend_url_patterns
                    )  # for these it prints a hint to its own developers
                    self.known[host] = None if strange else super().get_backend_for_host(host)
                return self.known[host]

            def get_application(self, environ: dict[str, Any]) -> Any:
                """Return what answers a request: a service, or the sandbox itself."""
                if environ["PATH_INFO"].startswith(control.PREFIX):
                    return control.application
                return super().get_application(environ)

        self._machines = MACHINES
        MACHINES.use(run_components)
        dispatcher = Dispatcher(create_app)
        dispatcher.known = {}
        self._server = make_server(HOST, port, Door(dispatcher), threaded=True, request_handler=QuietHandler)
        self.port = int(self._server.server_port)
        self.endpoint = f"http://{HOST}:{self.port}"
        os.environ["MOTO_PORT"] = str(self.port)
        clients.serve_at(self.endpoint)
        self._thread = Thread(target=self._server.serve_forever, name="sandbox", daemon=True)

    def start(self) -> Self:
        """Start to answer, and return at once."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop to answer and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._machines.use(None)

    def wait(self) -> None:
        """Return when the sandbox has stopped."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
