"""
Builds this one package (PEP 517), with nothing but the standard library.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

__all__ = ["build_wheel"]

_INFO = "txacme_here-1.0.dist-info"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """
    Make the wheel.
    """
    name = "txacme_here-1.0-py3-none-any.whl"
    files = {
        "txacme_here/__init__.py": Path("txacme_here/__init__.py").read_text(encoding="utf-8"),
        f"{_INFO}/METADATA": "Metadata-Version: 2.1\nName: txacme_here\nVersion: 1.0\n",
        f"{_INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: here\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{_INFO}/RECORD"] = "".join(f"{each},,\n" for each in (*files, f"{_INFO}/RECORD"))
    with ZipFile(Path(wheel_directory) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
