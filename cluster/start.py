"""Start and stop Ray and Serve on this machine: environment, token, ports, the laptop profile."""

from __future__ import annotations

import logging
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from panlect.errors import PanlectError
from panlect.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
_RANGE = 100
_RANGES = range(25_000, 32_000, _RANGE)
_OBJECT_STORE = 256 * 1024 * 1024


def ray_environment(settings: Settings, token: str) -> dict[str, str]:
    """What Ray's processes must find in their environment; explicit, so that nothing in HOME decides."""
    first = free_range()
    return {
        "PYTHONPATH": str(ROOT),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{settings.dashboard_port}",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # Replicas bind with SO_REUSEPORT: two clusters of one machine must not share a range, or each would
        # get some of the other's requests.
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(first + _RANGE // 2 - 1),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(first + _RANGE // 2),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(first + _RANGE - 1),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "RAY_EXPORT_COUNTER_AS_GAUGE": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "RAY_TMPDIR": str(_short_dir(settings)),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }


def _short_dir(settings: Settings) -> Path:
    """Ray's session directory, closed to other users (Ray opens what it makes inside to everyone).

    Its sockets need a path of less than 107 bytes, so a deep one is no use. Raises PanlectError when
    somebody else made the one in /tmp.
    """
    inside = settings.data_dir / "ray"
    short = Path(f"/tmp/panlect-{os.geteuid()}")  # noqa: S108 - its owner is checked below
    chosen = inside if len(os.fsencode(inside)) < 40 else short
    chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = chosen.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PanlectError(
            f"{chosen} belongs to somebody else.", fix="Remove it, or set a short PANLECT_DATA_DIR."
        )
    chosen.chmod(0o700)
    return chosen


def start_ray(settings: Settings, token: str) -> None:
    """A local cluster with its dashboard on loopback. Replicas inherit this process's environment."""
    os.environ.update(ray_environment(settings, token))
    import ray

    ray.init(
        address="local",
        num_cpus=max(2, os.cpu_count() or 2),
        object_store_memory=_OBJECT_STORE,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        dashboard_port=settings.dashboard_port,
        log_to_driver=False,
        configure_logging=False,
        _node_ip_address="127.0.0.1",
    )


def start_serve(settings: Settings) -> None:
    """The laptop profile: four small applications behind one port."""
    from ray import serve
    from ray.serve.config import HTTPOptions

    from serve.deployments import laptop

    logging.getLogger("ray.serve").addFilter(
        lambda record: record.levelno >= logging.WARNING
    )  # we report ourselves
    serve.start(http_options=HTTPOptions(host=settings.host, port=settings.port, request_timeout_s=60))
    targets = [serve.RunTarget(target=app, name=name, route_prefix=prefix) for name, app, prefix in laptop()]
    serve.run_many(targets, blocking=False)  # all at once: the proxy is reconfigured once


def stop_all() -> None:
    """End Serve, then Ray; safe when neither runs."""
    if "ray" not in sys.modules:
        return
    import ray
    from ray import serve

    if ray.is_initialized():
        # Applications are drained one by one: serve.shutdown() kills the controller under its own last task
        # and prints an alarm. What is left of the proxies ends with the recorded processes.
        for name in list(serve.status().applications):
            serve.delete(name)
        ray.shutdown()


def free_port(wanted: int = 0) -> int:
    """`wanted` when it is free, else any free port on loopback."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on loopback")


def free_range() -> int:
    """The first of `_RANGE` ports below the ephemeral ones, none of which anyone listens on."""
    taken = {c.laddr[1] for c in psutil.net_connections("tcp") if c.laddr and c.status == psutil.CONN_LISTEN}
    for first in _RANGES:
        if not taken & set(range(first, first + _RANGE)):
            return first
    raise PanlectError(
        "No range of ports is free for Serve's replicas.", fix="Stop other clusters on this machine."
    )


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in `path`, made once and readable by this user alone. It appears whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(make())
        draft.replace(path)
    return path.read_text().strip()
