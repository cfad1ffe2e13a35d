"""Renders milvus.yaml: the package's template, with any key set or added by its dotted path."""

import re
from pathlib import Path

import yaml

from .milvus_unpack import package_data

PLACEHOLDER = re.compile(r"\{\{\s*(?P<name>\w+)\s*(?:\([^)]*\))?\s*(?::\s*(?P<default>[^}]*?))?\s*\}\}")


def write(folder: Path, settings: dict[str, object]) -> None:
    """Writes `configs/milvus.yaml` and what the server expects beside it."""
    configs = folder / "configs"
    configs.mkdir(parents=True, exist_ok=True)
    own = {
        "local_storage_dir": folder / "data", "rocksmq_data_dir": folder / "rocksmq",
        "system_log_path": folder / "logs", "etcd_log_path": folder / "logs" / "etcd.log",
        "etcd_data_dir": folder / "unused-etcd",
    }
    template = (package_data() / "config.yaml.template").read_text()
    text = PLACEHOLDER.sub(lambda m: str(own.get(m["name"], m["default"] or "")), template)
    config = yaml.safe_load(text)
    for path, value in settings.items():
        _set(config, path.split("."), value)
    (configs / "milvus.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (configs / "glog.conf").write_bytes((package_data() / "glog.conf").read_bytes())


def _set(config: dict, path: list[str], value: object) -> None:
    *above, last = path
    for key in above:
        if not isinstance(config.get(key), dict):
            config[key] = {}
        config = config[key]
    config[last] = value
