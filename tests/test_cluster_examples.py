"""Examples of machines for a cluster, as the docs give them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")
DOCS = Path(__file__).parents[1] / "docs" / "cluster"


def test_the_cloud_example_is_one_that_ray_takes() -> None:
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = yaml.safe_load((DOCS / "ray-cluster.yaml").read_text("utf-8"))

    def refuse(found: dict[str, Any]) -> None:
        util.validate_config(util.prepare_config(copy.deepcopy(found)))

    refuse(config)
    for wrong in ({"worker": 3}, {"head_node_type": "nobody"}, {"max_workers": "many"}):
        with pytest.raises(Exception, match=r"worker|node_type|many"):
            refuse(config | wrong)
    assert config["available_node_types"]["head"]["resources"] == {"CPU": 0}


def test_the_kubernetes_example_is_one_of_kuberay() -> None:
    config = yaml.safe_load((DOCS / "kuberay.yaml").read_text("utf-8"))
    assert (config["apiVersion"], config["kind"]) == ("ray.io/v1", "RayCluster")
    spec = config["spec"]
    assert spec["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}
    (workers,) = spec["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    groups = (spec["headGroupSpec"], workers)
    images = {
        container["image"]
        for group in groups
        for container in group["template"]["spec"]["containers"]
    }
    assert len(images) == 1, "all nodes have one version"
