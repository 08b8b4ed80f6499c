"""Tests of check_tree.py: a small tree that is in order, and one thing wrong with it at a time."""

import os
import tempfile
import unittest

import check_tree

IN_ORDER = {
    "include/kvbm/base/types.hpp": "#pragma once\n",
    "include/kvbm/pools/slot.hpp": '#pragma once\n#include "kvbm/base/types.hpp"\n',
    "include/kvbm/device/stream.hpp": "#pragma once\n",
    "include/kvbm/kvbm.hpp": "#pragma once\n" + "".join(
        f'#include "kvbm/{name}.hpp"\n' for name in ("base/types", "pools/slot", "device/stream")),
    "src/host/pools/store.cpp": '#include "kvbm/pools/slot.hpp"\n// mmap( and <<< in a comment are words\n',
    "src/device/cuda/stream.cpp": '#include <cuda_runtime_api.h>\n#include "kvbm/device/stream.hpp"\n'
                                  "void make() { cudaStreamCreate(&stream); }\n",
    "kernels/copy.cu": "void launch() { copy<<<1, 32>>>(); }\n",
    "tests/examples/engine/run.cu": "void launch() { run<<<1, 32>>>(); }\n",
    "tests/pools/store_test.cpp": '#include "kvbm/pools/slot.hpp"\n',
    "README.md": "kvbm\n",
}


class CheckTree(unittest.TestCase):
    def findings(self, changes):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**IN_ORDER, **changes}.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return check_tree.findings_in(root)

    def assert_one(self, changes, expected):
        findings = self.findings(changes)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(expected, findings[0])

    def test_a_tree_in_order_has_no_findings(self):
        self.assertEqual(self.findings({}), [])

    def test_long_line_of_a_result(self):
        self.assertEqual(self.findings({"bench/results/a.txt": "x" * 121 + "\n"}), [])

    def test_long_line(self):
        self.assert_one({"src/host/pools/a.cpp": "x" * 121 + "\n"}, "a.cpp:1: longer than")

    def test_machine_path(self):
        self.assert_one({"src/host/pools/a.cpp": 'open("/' + 'tmp/a");\n'}, "some machine")

    def test_unfinished(self):
        self.assert_one({"src/host/pools/a.cpp": "// TO" + "DO: more\n"}, "unfinished")

    def test_include_up(self):
        self.assert_one({"src/host/base/a.cpp": '#include "kvbm/pools/slot.hpp"\n'}, "base may not include pools")

    def test_include_across(self):
        self.assert_one({"src/host/pools/a.cpp": '#include "kvbm/device/stream.hpp"\n'}, "pools may not include device")
        self.assert_one({"src/device/memory/a.cpp": '#include "kvbm/pools/slot.hpp"\n'},
                        "memory may not include pools")

    def test_the_roof_stands_on_both_towers(self):
        both = '#include "kvbm/device/stream.hpp"\n#include "kvbm/pools/slot.hpp"\n'
        self.assertEqual(self.findings({"src/host/tiering/a.cpp": both}), [])

    def test_include_of_everything(self):
        self.assert_one({"src/host/tiering/a.cpp": '#include "kvbm/kvbm.hpp"\n'}, "for users only")

    def test_include_of_nothing(self):
        self.assert_one({"tests/pools/a_test.cpp": '#include "kvbm/pools/gone.hpp"\n'}, "nowhere in the tree")

    def test_unknown_module(self):
        self.assert_one({"src/host/cellar/a.cpp": "\n"}, "no floor is known")

    def test_cuda_header_in_host_code(self):
        self.assert_one({"src/host/pools/a.cpp": "#include <cuda_runtime.h>\n"}, "CUDA header")

    def test_nvtx_header_in_host_code(self):
        self.assert_one({"src/host/pools/a.cpp": "#include <nvtx3/nvToolsExt.h>\n"}, "an NVTX header")
        self.assertEqual(self.findings({"src/host/base/nvtx.cpp": "#include <nvtx3/nvToolsExt.h>\n"}), [])

    def test_cuda_call_in_host_code(self):
        self.assert_one({"src/host/pools/a.cpp": "int x = cudaGetLastError();\n"}, "CUDA call")

    def test_launch_outside_kernels(self):
        self.assert_one({"src/device/cuda/a.cpp": "void f() { copy<<<1, 1>>>(); }\n"}, "kernel launch")

    def test_memory_outside_memory(self):
        self.assert_one({"src/host/pools/a.cpp": "void* p = mmap(0);\n"}, "memory taken")
        self.assertEqual(self.findings({"src/device/memory/a.cpp": "int x = cudaMalloc(&p, 1);\n"}), [])

    def test_stream_outside_cuda(self):
        self.assert_one({"src/device/memory/a.cpp": "int x = cudaEventCreate(&e);\n"}, "stream or event")

    def test_foreign_lock(self):
        self.assert_one({"src/host/pools/a.cpp": "std::mutex m;\n"}, "kvbm::Mutex")

    def test_sleeping_test(self):
        self.assert_one({"tests/pools/a_test.cpp": "std::this_thread::sleep_for(1s);\n"}, "sleeps")

    def test_dead_header(self):
        self.assert_one({"src/host/pools/a.hpp": "#pragma once\n"}, "nobody includes it")

    def test_header_without_guard(self):
        self.assert_one({"src/host/pools/a.hpp": "\n", "src/host/pools/a.cpp": '#include "a.hpp"\n'}, "#pragma once")

    def test_header_left_out_of_the_whole(self):
        self.assert_one({"include/kvbm/pools/a.hpp": "#pragma once\n",
                         "src/host/pools/a.cpp": '#include "kvbm/pools/a.hpp"\n'}, "leaves out")

    def test_stranger_at_the_top(self):
        self.assert_one({"notes.md": "\n"}, "notes.md")

    def test_build_folders_are_passed_over(self):
        self.assertEqual(self.findings({"out/CMakeCache.txt": "/" + "tmp/x\n", "build/dev/a.cpp": "x" * 200}), [])


if __name__ == "__main__":
    unittest.main()
