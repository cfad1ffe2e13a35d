"""Unpacks the server that the `milvus` package carries: every file of its `data/bin` is xz-compressed by itself."""

import lzma
import os
import shutil
import sys
from pathlib import Path

import milvus


def package_data() -> Path:
    """The folder of the package with the compressed binaries and the configuration template."""
    return Path(milvus.__file__).parent / "data"


def unpack(folder: Path) -> None:
    """Writes binary and libraries, executable, into the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for packed in sorted((package_data() / "bin").glob("*.lzma")):
        target = folder / packed.stem
        with lzma.open(packed) as source, open(target, "wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        os.chmod(target, 0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
