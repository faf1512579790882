"""Every benchmark, one after another: `python -m benchmarks [names…]`. Each prints one JSON line a case."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import benchmarks

names = sys.argv[1:] or sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
sys.exit(max(subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) for name in names))
