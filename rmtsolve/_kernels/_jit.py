"""The one way to compile: `@kernel`.

Kernels are compiled on first call, cached on disk, release the GIL and follow NumPy's rules for division of
reals. Numba's own cache notices edits of the file that holds a kernel but not of the files that it calls, and
then serves stale machine code, also after an upgrade. So the cache is stamped here with a digest of the kernel's
file and of every file of this package that it imports, directly or not: an edit recompiles what it touches, no more.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
import re

import numba
from numba.core.cpu import CPUTargetOptions

# Allowed to reorder sums and contract multiply-adds; nan and inf keep their meaning.
_REASSOCIATE = {"reassoc", "contract", "arcp", "nsz"}
# Numba counts references to every array that a kernel is given or cuts out of one, by atomic additions: that can cost
# more than the arithmetic on small matrices. Without a count nothing may be allocated. The option is private in numba.
_BORROWED = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}
_IMPORT = re.compile(rb"^from \.(\w+) import", re.MULTILINE)


@functools.cache
def _digest(path):
    """Digest of the kernel file `path` and all kernel files it imports."""
    sources, todo = {}, [path]
    while todo:
        file = todo.pop()
        if file not in sources:
            sources[file] = file.read_bytes()
            todo += [file.with_name(f"{name.decode()}.py") for name in _IMPORT.findall(sources[file])]
    digest = hashlib.sha256()
    for file in sorted(sources):
        digest.update(sources[file])
    return digest.hexdigest()


def kernel(function=None, *, reassociate=False, borrows=False):
    """Compile `function` lazily with an on-disk cache.

    `reassociate` and `borrows` only where a benchmark shows that they pay: the first reorders sums; the second is for
    kernels that allocate no array, neither themselves nor in what they call, and saves counting references.
    """
    if function is None:
        return functools.partial(kernel, reassociate=reassociate, borrows=borrows)
    fastmath = _REASSOCIATE if reassociate else False
    options = _BORROWED if borrows else {}
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fastmath, **options)(function)
    if not numba.config.DISABLE_JIT:
        # private in numba; tests/unit/test_kernel_cache.py fails if a numba release renames it
        compiled._cache._cache_file._source_stamp = _digest(pathlib.Path(function.__code__.co_filename))
    return compiled


def threads() -> int:
    """Number of threads that may run kernels at a time."""
    return int(numba.get_num_threads())
