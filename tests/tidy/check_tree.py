"""Checks what a machine can check of the tree without compiling it.

    check_tree.py ROOT

Prints one line per finding and exits with 1 if there are any. Build folders (those with a CMakeCache.txt) and hidden
folders are passed over.
"""

import os
import re
import sys

LINE_LENGTH_MAX = 120

# Module -> (tower, floor). Includes stay within a tower and go level or down; the roof stands on both towers, and both
# stand on base. blocks and pools share a floor: guards know the layout of a slot, the store makes guards.
FLOORS = {
    "base": ("ground", 0),
    "tokens": ("logical", 1),
    "events": ("logical", 1),
    "registry": ("logical", 2),
    "blocks": ("logical", 3),
    "pools": ("logical", 3),
    "manager": ("logical", 5),
    "sequence": ("logical", 6),
    "device": ("physical", 1),
    "cuda": ("physical", 1),
    "memory": ("physical", 1),
    "layout": ("physical", 2),
    "kernels": ("physical", 3),
    "transfer": ("physical", 4),
    "tiering": ("roof", 7),
    "lookup": ("roof", 7),
}

TOP_LEVEL = {
    "CMakeLists.txt", "CMakePresets.json", "LICENSE", "NOTICE", "README.md",
    "bench", "cmake", "docs", "include", "kernels", "src", "tests",
}

SOURCE_ENDINGS = (".hpp", ".cpp", ".cu", ".cuh")
TEXT_ENDINGS = SOURCE_ENDINGS + (".cmake", ".txt", ".py", ".sh", ".json", ".in", ".md")
SCRIPTS = {"tests/run", "bench/run", ".ci/run"}

CUDA_HEADER = re.compile(r'#\s*include\s*[<"](cuda|cub/|thrust/|driver_types|vector_types|device_launch|nv/)')
NVTX_HEADER = re.compile(r'#\s*include\s*[<"]nvtx3/')
CUDA_CALL = re.compile(r"\bcuda[A-Z]\w*\s*\(|\bcu[A-Z][a-z]\w+\s*\(")
MEMORY_CALL = re.compile(r"\b(mmap|cudaMalloc\w*|cudaHost(Alloc|Register)\w*|cudaFree\w*)\s*\(")
STREAM_CALL = re.compile(r"\bcuda(Stream|Event)Create\w*\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
MACHINE_PATH = re.compile(r"(?<![\w.}$>-])/(work|tmp|root|home)/\w")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


class Tree:
    """The files of a checkout by their path from its root, and what they hold."""

    def __init__(self, root):
        self.root = root
        self.top_level = []
        self.text = {}
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(f for f in folders if not self._is_passed_over(folder, f))
            place = os.path.relpath(folder, root)
            if place == ".":
                self.top_level = [name for name in folders + files if not name.startswith(".")]
            for name in files:
                path = os.path.normpath(os.path.join(place, name))
                if path.endswith(TEXT_ENDINGS) or path in SCRIPTS:
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        self.text[path] = file.read()

    def _is_passed_over(self, folder, name):
        path = os.path.join(folder, name)
        if name == ".ci" and folder == self.root:
            return False
        if name.startswith(".") or name == "__pycache__" or (name == "build" and folder == self.root):
            return True
        return os.path.exists(os.path.join(path, "CMakeCache.txt"))

    def sources(self):
        return [path for path in self.text if path.endswith(SOURCE_ENDINGS)]

    def code(self, path):
        """The text without comments and string contents, with its line breaks kept."""
        return COMMENT.sub(blanked, self.text[path])

    def resolved(self, path, included):
        """Where an include in quotes leads, None if nowhere in the tree."""
        for base in (os.path.dirname(path), "include", "src/host", "src/device", ""):
            candidate = os.path.normpath(os.path.join(base, included))
            if candidate in self.text:
                return candidate
        return None


def blanked(match):
    """A comment or string literal as nothing but its line breaks; a string keeps its quotes."""
    text = match.group(0)
    return '""' if text.startswith('"') else "\n" * text.count("\n")


def module_of(path):
    """The module a library file belongs to, None outside the library."""
    parts = path.split("/")
    if parts[0] == "kernels":
        return "kernels"
    if parts[0] in ("include", "src") and len(parts) > 3:
        return parts[2]
    return None


def may_include(module, target):
    tower, floor = FLOORS[module]
    target_tower, target_floor = FLOORS[target]
    return target_floor <= floor and (target_tower in (tower, "ground") or tower == "roof")


def lines_matching(text, pattern):
    return [number for number, line in enumerate(text.split("\n"), 1) if pattern.search(line)]


def check_lines(tree):
    for path, text in tree.text.items():
        if not path.endswith(".md") and not path.startswith("bench/results/"):  # what programs printed
            for number, line in enumerate(text.split("\n"), 1):
                if len(line) > LINE_LENGTH_MAX:
                    yield f"{path}:{number}: longer than {LINE_LENGTH_MAX} columns"
        for number in lines_matching(text, MACHINE_PATH):
            yield f"{path}:{number}: the path of some machine"
        for number in lines_matching(text, UNFINISHED):
            yield f"{path}:{number}: marked as unfinished"


def check_floors(tree):
    for path in tree.sources():
        module = module_of(path)
        if module is not None and module not in FLOORS:
            yield f"{path}: no floor is known for module {module}"
            continue
        for included in INCLUDE.findall(tree.text[path]):
            target = tree.resolved(path, included)
            if target is None:
                yield f"{path}: includes \"{included}\", which is nowhere in the tree"
            elif module is not None:
                yield from check_include(path, module, target)


def check_include(path, module, target):
    if target == "include/kvbm/kvbm.hpp":
        yield f"{path}: kvbm.hpp is for users only"
    elif path == "include/kvbm/kvbm.hpp":
        pass
    elif path.startswith("include/") and not target.startswith("include/"):
        yield f"{path}: a public header includes the private {target}"
    elif path.startswith("src/host/") and target.startswith("src/device/"):
        yield f"{path}: host code includes the device's {target}"
    elif module_of(target) is None:
        yield f"{path}: the library includes {target}, which is no part of it"
    elif module_of(target) in FLOORS and not may_include(module, module_of(target)):
        yield f"{path}: {module} may not include {module_of(target)} ({target})"


def is_gpu_test(path):
    return path.endswith(("_gpu_test.cpp", "_gpu_bench.cpp"))


def check_cuda(tree):
    for path in tree.sources():
        code = tree.code(path)
        on_device = path.startswith("src/device/") or path.endswith((".cu", ".cuh")) or is_gpu_test(path)
        on_device = on_device or path.startswith("tests/lookup/thrust/")  # Thrust without CUDA
        if not on_device:
            for number in lines_matching(tree.text[path], CUDA_HEADER):
                yield f"{path}:{number}: a CUDA header outside src/device and kernels"
            for number in lines_matching(code, CUDA_CALL):
                yield f"{path}:{number}: a CUDA call outside src/device and kernels"
        if not (on_device or path == "src/host/base/nvtx.cpp" or path.startswith("tests/nvtx/")):
            for number in lines_matching(tree.text[path], NVTX_HEADER):
                yield f"{path}:{number}: an NVTX header outside src/device and src/host/base/nvtx.cpp"
        if not (path.startswith(("kernels/", "bench/", "tests/examples/")) and path.endswith(".cu")):
            for number in lines_matching(code, re.compile("<<<")):
                yield f"{path}:{number}: a kernel launch outside kernels/*.cu"
        if not (re.match(r"src/(host|device)/memory/", path) or is_gpu_test(path)):
            for number in lines_matching(code, MEMORY_CALL):
                yield f"{path}:{number}: memory taken outside src/*/memory"
        if not (path.startswith("src/device/cuda/") or is_gpu_test(path)):
            for number in lines_matching(code, STREAM_CALL):
                yield f"{path}:{number}: a stream or event made outside src/device/cuda"


def check_concurrency(tree):
    foreign_lock = re.compile(r"\bstd::(mutex|shared_mutex|recursive_mutex|lock_guard|unique_lock|scoped_lock)\b")
    sleep = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(")
    for path in tree.sources():
        code = tree.code(path)
        # Two places need another lock: condition variables, and base, where kvbm::Mutex is made and watched.
        if module_of(path) not in (None, "base") and "std::condition_variable" not in code:
            for number in lines_matching(code, foreign_lock):
                yield f"{path}:{number}: a lock other than kvbm::Mutex"
        if path.startswith("tests/"):
            for number in lines_matching(code, sleep):
                yield f"{path}:{number}: a test that sleeps"


def check_headers(tree):
    users = {}
    for path in tree.sources():
        for included in INCLUDE.findall(tree.text[path]):
            users.setdefault(tree.resolved(path, included), set()).add(path)
    for path in tree.sources():
        if not path.endswith((".hpp", ".cuh")):
            continue
        if "#pragma once" not in tree.text[path].split("\n"):
            yield f"{path}: no #pragma once"
        if path != "include/kvbm/kvbm.hpp" and not users.get(path, set()) - {"include/kvbm/kvbm.hpp"}:
            yield f"{path}: nobody includes it"
    whole = "include/kvbm/kvbm.hpp"
    if whole in tree.text:
        reached = reached_from(tree, whole)
        for path in tree.sources():
            if path.startswith("include/kvbm/") and path not in reached:
                yield f"{whole}: leaves out {path}"


def reached_from(tree, path):
    """The files that including `path` includes, itself among them."""
    reached, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path is not None and path not in reached:
            reached.add(path)
            waiting.extend(tree.resolved(path, name) for name in INCLUDE.findall(tree.text[path]))
    return reached


def check_top_level(tree):
    for name in tree.top_level:
        if name not in TOP_LEVEL:
            yield f"{name}: not among the names the top level holds"


CHECKS = (check_lines, check_floors, check_cuda, check_concurrency, check_headers, check_top_level)


def findings_in(root):
    tree = Tree(root)
    return [finding for check in CHECKS for finding in check(tree)]


def main():
    findings = findings_in(os.path.abspath(sys.argv[1]))
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
