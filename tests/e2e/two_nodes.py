"""A Ray cluster of two nodes on this machine, for tests: the head, and one with a pretended GPU.

The second has a processor that tempts reading tasks, a data directory of its own, and neither a database nor a
key in its environment. Prints the
cluster's address, and ends when its standard input does.
"""

from __future__ import annotations

import os
import sys

from ray.cluster_utils import Cluster

WITHOUT = ("DATABASE_URL", "PANLECT_SECRET_KEY", "PANLECT_SECRET_KEY_FILE", "PANLECT_EGRESS_ALLOW")


def main() -> None:
    cpu_dir, gpu_dir = sys.argv[1:]
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "include_dashboard": False,
            "object_store_memory": 100 * 1024 * 1024,
            "env_vars": {"PANLECT_DATA_DIR": cpu_dir},
        },
    )
    for name in WITHOUT:
        os.environ.pop(name, None)
    cluster.add_node(
        num_cpus=1,
        num_gpus=1,
        object_store_memory=100 * 1024 * 1024,
        env_vars={"PANLECT_DATA_DIR": gpu_dir},
    )
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
