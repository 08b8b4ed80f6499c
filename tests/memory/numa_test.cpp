#include "src/host/memory/numa.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <numeric>
#include <thread>
#include <vector>

#include "kvbm/memory/memory.hpp"
#include "tests/support/temporary_folder.hpp"

namespace kvbm {
namespace {

using Cpus = std::vector<int>;

Cpus range(int first, int last) {
  Cpus cpus(static_cast<std::size_t>(last - first + 1));
  std::iota(cpus.begin(), cpus.end(), first);
  return cpus;
}

TEST(CpuList, IsRead) {
  EXPECT_EQ(parse_cpu_list("0-3"), range(0, 3));
  EXPECT_EQ(parse_cpu_list("1,3,5\n"), (Cpus{1, 3, 5}));
  EXPECT_EQ(parse_cpu_list("0-2,8,10-11"), (Cpus{0, 1, 2, 8, 10, 11}));
  EXPECT_EQ(parse_cpu_list("7"), Cpus{7});
  EXPECT_EQ(parse_cpu_list(""), Cpus{});
  EXPECT_EQ(parse_cpu_list("\n"), Cpus{});
}

TEST(CpuList, KnowsHyperThreadsAndDualSockets) {
  Cpus socket = range(0, 31);
  const Cpus siblings = range(64, 95);
  socket.insert(socket.end(), siblings.begin(), siblings.end());

  EXPECT_EQ(parse_cpu_list("0-31,64-95\n"), socket);
}

TEST(CpuList, IsSortedAndWithoutDuplicates) { EXPECT_EQ(parse_cpu_list("5,1-3,2"), (Cpus{1, 2, 3, 5})); }

TEST(CpuList, ThatIsMalformedIsNone) {
  for (const char* text : {"a", "1-", "-3", "3-1", "1,,2", "1;2", "0x1", "1-2-3", "99999999999", "0-99999999"}) {
    EXPECT_EQ(parse_cpu_list(text), std::nullopt) << text;
  }
}

TEST(NumaNode, IsReadOrUnknown) {
  EXPECT_EQ(parse_numa_node("0\n"), 0);
  EXPECT_EQ(parse_numa_node("1"), 1);
  for (const char* text : {"-1\n", "", "x", "1x", "-7"}) EXPECT_EQ(parse_numa_node(text), -1) << text;
}

/// A dual socket machine with four GPUs on the first node and one on the second.
class DualSocket : public testing::Test {
 protected:
  DualSocket() {
    root_.write("/sys/devices/system/node/node0/cpulist", "0-3,8-11\n");
    root_.write("/sys/devices/system/node/node1/cpulist", "4-7,12-15\n");
    root_.write("/sys/devices/system/node/possible", "0-1\n");
    for (const char* address : {"0000:17:00.0", "0000:18:00.0", "0000:2a:00.0"})
      add_device(address, "0x10de", "0x030200", "0");
    add_device("0000:3d:00.0", "0x10de", "0x030000", "0");
    add_device("0000:9b:00.0", "0x10de", "0x030200", "1");
    add_device("0000:01:00.0", "0x10de", "0x040300", "0");  // the sound of a GPU
    add_device("0000:02:00.0", "0x8086", "0x030000", "0");  // somebody else's
    add_device("0000:03:00.0", "0x10de", "0x030200", "-1");
  }
  void add_device(const std::string& address, const char* vendor, const char* kind, const char* node) {
    const std::string folder = "/sys/bus/pci/devices/" + address;
    root_.write(folder + "/vendor", std::string(vendor) + "\n");
    root_.write(folder + "/class", std::string(kind) + "\n");
    root_.write(folder + "/numa_node", std::string(node) + "\n");
  }

  test::TemporaryFolder root_;
};

TEST_F(DualSocket, NodesAndCpusAgree) {
  for (int node = 0; node < 2; ++node) {
    const Cpus cpus = cpus_of_node(root_.path(), node);
    EXPECT_EQ(cpus.size(), 8u);
    for (const int cpu : cpus) EXPECT_EQ(node_of_cpu(root_.path(), cpu), node) << cpu;
  }
  EXPECT_EQ(node_of_cpu(root_.path(), 16), -1);
}

TEST_F(DualSocket, TellsTheNodeOfAGpu) {
  EXPECT_EQ(node_of_pci_device(root_.path(), "0000:17:00.0"), 0);
  EXPECT_EQ(node_of_pci_device(root_.path(), "0000:9B:00.0"), 1);  // as CUDA writes it
  EXPECT_EQ(node_of_pci_device(root_.path(), "0000:03:00.0"), -1);
  EXPECT_EQ(node_of_pci_device(root_.path(), "0000:ff:00.0"), -1);
}

TEST_F(DualSocket, FindsTheGpusOfANodeAndNothingElse) {
  EXPECT_EQ(gpus_of_node(root_.path(), 0),
            (std::vector<std::string>{"0000:17:00.0", "0000:18:00.0", "0000:2a:00.0", "0000:3d:00.0"}));
  EXPECT_EQ(gpus_of_node(root_.path(), 1), std::vector<std::string>{"0000:9b:00.0"});
}

TEST(Numa, WithoutSysfsEverythingIsUnknown) {
  const test::TemporaryFolder root;

  EXPECT_EQ(cpus_of_node(root.path(), 0), Cpus{});
  EXPECT_EQ(cpus_of_node(root.path(), -1), Cpus{});
  EXPECT_EQ(node_of_cpu(root.path(), 0), -1);
  EXPECT_EQ(node_of_pci_device(root.path(), "0000:17:00.0"), -1);
  EXPECT_TRUE(gpus_of_node(root.path(), 0).empty());
}

TEST(CpuShares, AreEqualAndTheLastTakesTheRest) {
  const Cpus cpus = range(0, 9);

  EXPECT_EQ(share_of_cpus(cpus, 0, 1), cpus);
  EXPECT_EQ(share_of_cpus(cpus, 0, 2), range(0, 4));
  EXPECT_EQ(share_of_cpus(cpus, 1, 2), range(5, 9));
  EXPECT_EQ(share_of_cpus(cpus, 0, 3), range(0, 2));
  EXPECT_EQ(share_of_cpus(cpus, 1, 3), range(3, 5));
  EXPECT_EQ(share_of_cpus(cpus, 2, 3), range(6, 9));
}

TEST(CpuShares, OfMoreGpusThanCpusAreAll) {
  for (std::size_t gpu = 0; gpu < 3; ++gpu) EXPECT_EQ(share_of_cpus({4, 5}, gpu, 3), (Cpus{4, 5}));
}

TEST(Numa, ThreadIsBoundToCpusItMayUse) {
  std::thread([] {
    const int here = sched_getcpu();
    EXPECT_TRUE(bind_thread({here, 1'000'000}));
    EXPECT_EQ(sched_getcpu(), here);
    cpu_set_t bound;
    ASSERT_EQ(sched_getaffinity(0, sizeof(bound), &bound), 0);
    EXPECT_EQ(CPU_COUNT(&bound), 1);
    EXPECT_FALSE(bind_thread({}));
    EXPECT_FALSE(bind_thread({here == 0 ? 1 : 0}));  // not allowed any more
    EXPECT_EQ(sched_getcpu(), here);
  }).join();
}

TEST(Numa, MemoryIsOnTheNodeAskedFor) {
  const Memory memory = allocate_system(1 << 20);
  if (!prefer_node(memory.address(), memory.bytes(), 0)) return;  // a kernel without nodes, or a sandbox
  std::fill_n(memory.address(), memory.bytes(), std::byte{1});

  EXPECT_EQ(node_of_memory(memory.address(), memory.bytes()), 0);
}

TEST(Numa, NodesThatDoNotExistAreRefused) {
  const Memory memory = allocate_system(1 << 16);

  EXPECT_FALSE(prefer_node(memory.address(), memory.bytes(), -1));
  EXPECT_FALSE(prefer_node(memory.address(), memory.bytes(), 100'000));
}

}  // namespace
}  // namespace kvbm
