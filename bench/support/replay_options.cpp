#include "bench/support/replay_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>
#include <string_view>

#include "bench/support/page_pool.hpp"

namespace kvbm::bench {
namespace {

/// The options as they are written, before their values have been looked at.
struct Written {
  std::string policies = "lineage";
  std::string g1_blocks;
  std::string release = "tail";
  std::string block_tokens = "512";
  std::string page_bytes = "4096";
  TieredCommandLine tiers{};
  std::string lookup = "none";
  std::string batch = "64";
};

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> parts;
  for (std::size_t end = list.find(','); end != std::string_view::npos; end = list.find(',')) {
    parts.push_back(list.substr(0, end));
    list.remove_prefix(end + 1);
  }
  parts.push_back(list);
  return parts;
}

/// A whole number. One beyond 64 bits reads as the largest there is, and so fails the check of its range.
std::uint64_t parse_number(const char* option, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    throw CLI::ValidationError(option, fmt::format("'{}' is not a whole number", text));
  }
  return error == std::errc() ? number : std::numeric_limits<std::uint64_t>::max();
}

std::uint32_t parse_blocks(std::string_view text) {
  const std::uint64_t blocks = parse_number("--g1-blocks", text);
  if (blocks == 0 || blocks > ManagerOptions::kMostBlocks) {
    throw CLI::ValidationError("--g1-blocks", fmt::format("{} is not from 1 to {}", text, ManagerOptions::kMostBlocks));
  }
  return static_cast<std::uint32_t>(blocks);
}

std::uint64_t parse_block_tokens(std::string_view text) {
  const std::uint64_t tokens = parse_number("--block-tokens", text);
  if (tokens == 0) throw CLI::ValidationError("--block-tokens", "a block of 0 tokens");
  return tokens;
}

std::size_t parse_page_bytes(std::string_view text) {
  const std::uint64_t bytes = parse_number("--page-bytes", text);
  if (bytes >= PagePool::kFewestPageBytes && bytes % PagePool::kPageBytesUnit == 0) return bytes;
  throw CLI::ValidationError("--page-bytes", fmt::format("{} is not a multiple of {} from {} up", text,
                                                         PagePool::kPageBytesUnit, PagePool::kFewestPageBytes));
}

std::uint32_t parse_batch(std::string_view text) {
  constexpr std::uint64_t kMost = 1u << 20;
  const std::uint64_t requests = parse_number("--batch", text);
  if (requests == 0 || requests > kMost) {
    throw CLI::ValidationError("--batch", fmt::format("{} is not from 1 to {}", text, kMost));
  }
  return static_cast<std::uint32_t>(requests);
}

LookupKind parse_lookup(std::string_view text) {
  if (text == "none") return LookupKind::None;
  const LookupKind kind = text == "host" ? LookupKind::Host : LookupKind::Device;
  const std::string problem = lookup_problem(kind);
  if (!problem.empty()) throw CLI::ValidationError("--lookup", fmt::format("there is no device: {}", problem));
  return kind;
}

const Policy* parse_policy(std::string_view name) {
  const Policy* policy = find_policy(name);
  if (policy != nullptr) return policy;
  throw CLI::ValidationError("--policy", fmt::format("'{}' is none of {}", name, policy_names()));
}

void add_options(CLI::App& app, ReplayOptions& options, Written& written) {
  app.add_option("--trace", options.trace, "the trace: one JSON object a line, with input_length and hash_ids")
      ->required()
      ->take_last()
      ->type_name("FILE");
  app.add_option("--g1-blocks", written.g1_blocks, "sizes of the cache in blocks")
      ->required()
      ->take_last()
      ->type_name("N[,N...]");
  app.add_option("--policy", written.policies, fmt::format("eviction policies out of {}", policy_names()))
      ->capture_default_str()
      ->take_last()
      ->type_name("NAME[,NAME...]");
  app.add_option("--release", written.release, "end of a request whose blocks become idle first: tail or head")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"tail", "head"}))
      ->type_name("END");
  app.add_flag("--full-blocks", options.full_blocks, "leave out the block at the end of a prompt that is not full");
  app.add_option("--block-tokens", written.block_tokens, "tokens behind an id of the trace, for --full-blocks")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  app.add_option("--page-bytes", written.page_bytes, "bytes of a page, a multiple of 16 from 64 up")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  written.tiers.add_to(app);
  app.add_option("--lookup", written.lookup, "who looks prefixes up before they are matched: none, host or device")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"none", "host", "device"}))
      ->type_name("WHO");
  app.add_option("--batch", written.batch, "requests that arrive together and are looked up at once, for --lookup")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  app.add_flag("--json", options.json, "print one JSON object a line instead of a table");
}

void check_values(ReplayOptions& options, const Written& written) {
  for (const std::string_view name : split(written.policies)) options.policies.push_back(parse_policy(name));
  for (const std::string_view blocks : split(written.g1_blocks)) options.g1_blocks.push_back(parse_blocks(blocks));
  options.release = written.release == "head" ? ReleaseOrder::HeadFirst : ReleaseOrder::TailFirst;
  options.block_tokens = parse_block_tokens(written.block_tokens);
  options.page_bytes = parse_page_bytes(written.page_bytes);
  options.tiers = written.tiers.options(options.page_bytes, options.release == ReleaseOrder::TailFirst);
  options.batch = parse_batch(written.batch);
  options.lookup = parse_lookup(written.lookup);
  if (options.tiers && options.lookup != LookupKind::None) {
    throw CLI::ValidationError("--lookup", "looks up in one tier, and --g2-blocks gives two");
  }
}

}  // namespace

Result<ReplayOptions, ReplayExit> parse_replay_options(int argc, const char* const* argv, std::ostream& out,
                                                       std::ostream& err) {
  ReplayOptions options;
  Written written;
  CLI::App app(
      "Replays a recorded trace of requests through one or two tiers of kvbm, over eviction policies and cache sizes.",
      "kvbm-replay");
  app.footer("With --scheduler, requests run side by side: kvbm-replay --scheduler --help says more.");
  add_options(app, options, written);
  try {
    app.parse(argc, argv);
    check_values(options, written);
  } catch (const CLI::ParseError& stop) {
    return fail(ReplayExit{app.exit(stop, out, err) == 0 ? 0 : 2});
  }
  return options;
}

}  // namespace kvbm::bench
