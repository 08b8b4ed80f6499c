#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvbm {

/// What the system says about NUMA nodes, CPUs and PCI devices. `root` stands before /sys. Whatever is missing or
/// malformed reads as unknown: no function fails.

/// The CPUs named by a list such as "0-3,8,10-11", ascending and once each. Nothing if the text is malformed.
[[nodiscard]] std::optional<std::vector<int>> parse_cpu_list(std::string_view text);
/// A node as sysfs writes it; -1 for anything that is not one, negative numbers included.
[[nodiscard]] int parse_numa_node(std::string_view text) noexcept;

/// The CPUs of a node; none if unknown.
[[nodiscard]] std::vector<int> cpus_of_node(const std::string& root, int node);
/// -1: unknown.
[[nodiscard]] int node_of_cpu(const std::string& root, int cpu);
/// `address` as CUDA or sysfs write it, in either case: "0000:17:00.0". -1: unknown.
[[nodiscard]] int node_of_pci_device(const std::string& root, std::string_view address);
/// PCI addresses of all NVIDIA GPUs of a node, hidden ones too, in order.
[[nodiscard]] std::vector<std::string> gpus_of_node(const std::string& root, int node);

/// The part of `cpus` that belongs to the index-th of `count` GPUs: equal parts, the last takes what is left over. All
/// of them if there are more GPUs than CPUs. Precondition: index < count.
[[nodiscard]] std::vector<int> share_of_cpus(const std::vector<int>& cpus, std::size_t index, std::size_t count);

/// Asks for pages of [address, address + bytes) on `node`, from another if that is full. False if the kernel does not
/// know nodes.
bool prefer_node(void* address, std::size_t bytes, int node) noexcept;
/// The node that most of a sample of touched pages are on; -1: unknown.
[[nodiscard]] int node_of_memory(const std::byte* address, std::size_t bytes);
/// Binds this thread to those of `cpus` that it may use. False, and nothing changes, if it may use none.
bool bind_thread(const std::vector<int>& cpus) noexcept;

}  // namespace kvbm
