"""The cure for a torchvision whose compiled operators do not load, in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# What torchvision does on import, in few words: ask for an operator that nobody declared.
BROKEN = """
import torch
import torchvision.half
torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::nms", "Meta")
torch._C._dispatch_has_kernel_for_dispatch_key("torchvision::qnms", "Meta")
whole = True
"""
TRY = """
import sys
from mining.models.torchvision_ops import import_torchvision
found = import_torchvision()
assert found is import_torchvision() is sys.modules["torchvision"]
"""


def run(code: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    prelude = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    command = [sys.executable, "-W", "error", "-c", prelude + code]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def fake(folder: Path, code: str) -> Path:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(code)
    (folder / "torchvision" / "half.py").write_text("")
    return folder


def test_the_real_one_and_timm_are_imported() -> None:
    code = "assert found.models.resnet18\n"
    code += "from mining.models.torchvision_ops import import_timm\n"
    code += "assert import_timm().is_model('resnet18')"
    done = run(TRY + code)
    assert done.returncode == 0, done.stderr


def test_missing_operators_are_declared_and_the_import_done_again(tmp_path: Path) -> None:
    broken = fake(tmp_path, BROKEN)
    sick = run("import torchvision", broken)
    assert "operator torchvision::nms does not exist" in sick.stderr
    done = run(TRY + "assert found.whole", broken)
    assert done.returncode == 0, done.stderr


def test_nothing_is_declared_where_nothing_is_wrong(tmp_path: Path) -> None:
    sound = fake(tmp_path, "import torch, torchvision.half as half")
    code = "import torch; half = sys.modules['torchvision.half']\n"
    code += "assert found.half is half and not hasattr(torch.ops.torchvision, 'nms')"
    done = run(TRY + code, sound)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "trouble", ["RuntimeError('compiled with different CUDA')", "ImportError('libjpeg')"]
)
def test_other_trouble_is_passed_on(trouble: str, tmp_path: Path) -> None:
    fake(tmp_path, f"raise {trouble}")
    code = "import torch\nfrom mining.models.torchvision_ops import import_torchvision\n"
    code += "try:\n    import_torchvision()\nexcept Exception as error:\n    print(repr(error))\n"
    done = run(code + "assert not hasattr(torch.ops.torchvision, 'nms')", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == trouble
