#include "memory/numa.hpp"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>

#include "memory/folder_names.hpp"
#include "memory/text_file.hpp"

namespace kvbm {
namespace {

constexpr int kUnknown = -1;
constexpr int kCpusMax = 1 << 16;  // longer lists are nonsense, and would take memory

std::string_view trimmed(std::string_view text) noexcept {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<int> number(std::string_view text) noexcept {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Adds the CPUs of "3" or "0-7". Whether it is well formed.
bool add_cpus(std::string_view text, std::vector<int>& cpus) {
  const std::size_t dash = text.find('-');
  const std::optional<int> first = number(text.substr(0, dash));
  const std::optional<int> last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first || *last >= kCpusMax) return false;
  for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  return true;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string node_folder(const std::string& root, int node) {
  return root + "/sys/devices/system/node/node" + std::to_string(node);
}

std::string pci_folder(const std::string& root) { return root + "/sys/bus/pci/devices"; }

bool is_nvidia_gpu(const std::string& folder) {
  const std::optional<std::string> vendor = read_text_file(folder + "/vendor");
  const std::optional<std::string> kind = read_text_file(folder + "/class");
  if (!vendor || !kind || trimmed(*vendor) != "0x10de") return false;
  return kind->starts_with("0x0300") || kind->starts_with("0x0302");  // display and 3D controllers
}

}  // namespace

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  text = trimmed(text);
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (!add_cpus(trimmed(text.substr(0, comma)), cpus)) return std::nullopt;
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  return cpus;
}

int parse_numa_node(std::string_view text) noexcept {
  const std::optional<int> node = number(trimmed(text));
  return node && *node >= 0 ? *node : kUnknown;
}

std::vector<int> cpus_of_node(const std::string& root, int node) {
  if (node < 0) return {};
  const std::optional<std::string> text = read_text_file(node_folder(root, node) + "/cpulist");
  return text ? parse_cpu_list(*text).value_or(std::vector<int>()) : std::vector<int>();
}

int node_of_cpu(const std::string& root, int cpu) {
  for (const std::string& name : names_in(root + "/sys/devices/system/node")) {
    if (!name.starts_with("node")) continue;
    const int node = parse_numa_node(std::string_view(name).substr(4));
    const std::vector<int> cpus = cpus_of_node(root, node);
    if (std::binary_search(cpus.begin(), cpus.end(), cpu)) return node;
  }
  return kUnknown;
}

int node_of_pci_device(const std::string& root, std::string_view address) {
  const std::optional<std::string> text = read_text_file(pci_folder(root) + "/" + lower_case(address) + "/numa_node");
  return text ? parse_numa_node(*text) : kUnknown;
}

std::vector<std::string> gpus_of_node(const std::string& root, int node) {
  std::vector<std::string> gpus;
  for (const std::string& address : names_in(pci_folder(root))) {
    if (is_nvidia_gpu(pci_folder(root) + "/" + address) && node_of_pci_device(root, address) == node) {
      gpus.push_back(address);
    }
  }
  return gpus;
}

std::vector<int> share_of_cpus(const std::vector<int>& cpus, std::size_t index, std::size_t count) {
  const std::size_t each = cpus.size() / count;
  if (each == 0) return cpus;
  const auto begin = cpus.begin() + static_cast<std::ptrdiff_t>(index * each);
  return {begin, index + 1 == count ? cpus.end() : begin + static_cast<std::ptrdiff_t>(each)};
}

bool prefer_node(void* address, std::size_t bytes, int node) noexcept {
  constexpr std::size_t kNodesMax = 1024;
  constexpr std::size_t kBits = 8 * sizeof(unsigned long);
  std::array<unsigned long, kNodesMax / kBits> nodes{};
  if (node < 0 || static_cast<std::size_t>(node) >= kNodesMax) return false;
  nodes[static_cast<std::size_t>(node) / kBits] = 1ul << (static_cast<std::size_t>(node) % kBits);
  // Preferred rather than bound: a node that is full costs speed then, and not the process.
  return syscall(SYS_mbind, address, bytes, MPOL_PREFERRED, nodes.data(), kNodesMax, 0) == 0;
}

int node_of_memory(const std::byte* address, std::size_t bytes) {
  constexpr std::size_t kSamples = 64;
  const std::size_t step = std::max<std::size_t>(1, bytes / kSamples);
  std::map<int, int> found;
  for (std::size_t offset = 0; offset < bytes; offset += step) {
    int node = kUnknown;
    if (syscall(SYS_get_mempolicy, &node, nullptr, 0ul, address + offset, MPOL_F_NODE | MPOL_F_ADDR) != 0) {
      return kUnknown;
    }
    ++found[node];
  }
  const auto most = std::max_element(found.begin(), found.end(),
                                     [](const auto& one, const auto& two) { return one.second < two.second; });
  return most == found.end() ? kUnknown : most->first;
}

bool bind_thread(const std::vector<int>& cpus) noexcept {
  cpu_set_t allowed, wanted;
  CPU_ZERO(&wanted);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return false;
  for (const int cpu : cpus) {
    if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &wanted);
  }
  return CPU_COUNT(&wanted) != 0 && sched_setaffinity(0, sizeof(wanted), &wanted) == 0;
}

}  // namespace kvbm
