#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <string_view>

namespace engine {
namespace {

/// Errors  std::invalid_argument, which parse_options turns into a message.
template <class Number>
Number number(const std::string& option, std::string_view text, Number least) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) {
    throw std::invalid_argument(option + ": not a number of at least " + std::to_string(least) + ": " +
                                std::string(text));
  }
  return value;
}

template <class Value>
struct Choice {
  std::string_view name;
  Value value;
};

template <class Value, std::size_t kCount>
Value choose(const std::string& option, std::string_view text, const Choice<Value> (&choices)[kCount]) {
  for (const Choice<Value>& choice : choices) {
    if (choice.name == text) return choice.value;
  }
  throw std::invalid_argument(option + ": " + std::string(text) + " is not known");
}

/// KIND:N[:EFFECT]. n is 0 for `each`.
kvbm::DeviceFault fault(const std::string& option, std::string_view text) {
  using Effect = kvbm::DeviceFault::Effect;
  static constexpr Choice<kvbm::FaultKind> kKinds[] = {{"copy", kvbm::FaultKind::Copy},
                                                       {"allocation", kvbm::FaultKind::Allocation},
                                                       {"launch", kvbm::FaultKind::Launch},
                                                       {"event", kvbm::FaultKind::Event}};
  static constexpr Choice<Effect> kEffects[] = {
      {"refuse", Effect::Refuse}, {"late", Effect::Late}, {"break", Effect::Break}};
  const std::size_t first = text.find(':');
  if (first == std::string_view::npos) throw std::invalid_argument(option + ": KIND:N wanted");
  const std::size_t second = std::min(text.find(':', first + 1), text.size());
  const std::string_view n = text.substr(first + 1, second - first - 1);
  return {.kind = choose(option, text.substr(0, first), kKinds),
          .n = n == "each" ? 0 : number<std::uint64_t>(option, n, 1),
          .effect = second == text.size() ? Effect::Refuse : choose(option, text.substr(second + 1), kEffects)};
}

void apply(const std::string& option, const std::string& value, Options& options) {
  static constexpr Choice<Options::DeviceChoice> kDevices[] = {{"auto", Options::DeviceChoice::Auto},
                                                               {"cuda", Options::DeviceChoice::Cuda},
                                                               {"emulated", Options::DeviceChoice::Emulated}};
  if (option == "--device") {
    options.device = choose(option, value, kDevices);
  } else if (option == "--requests") {
    options.requests = number<std::uint32_t>(option, value, 1);
  } else if (option == "--seed") {
    options.seed = number<std::uint64_t>(option, value, 0);
  } else if (option == "--g1-blocks") {
    options.g1_blocks = number<std::uint32_t>(option, value, 1);
  } else if (option == "--g2-blocks") {
    options.g2_blocks = number<std::uint32_t>(option, value, 1);
  } else if (option == "--delays") {
    options.delays = number<std::uint64_t>(option, value, 0);
  } else if (option == "--faults") {
    const kvbm::DeviceFault planned = fault(option, value);
    if (planned.n != 0) {
      options.faults.push_back(planned);
    } else {
      options.swept_fault = planned;
    }
  } else {
    throw std::invalid_argument(option + " is not an option");
  }
}

}  // namespace

std::variant<Options, std::string> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  try {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i] == "--help") {
        options.help = true;
        return options;
      }
      if (arguments[i] == "--expect-all-paths") {
        options.expect_all_paths = true;
      } else if (i + 1 == arguments.size()) {
        throw std::invalid_argument(arguments[i] + " is not an option, or its value is missing");
      } else {
        apply(arguments[i], arguments[i + 1], options);
        ++i;
      }
    }
    const bool perturbed = options.delays || !options.faults.empty() || options.swept_fault;
    if (perturbed && options.device == Options::DeviceChoice::Cuda) {
      throw std::invalid_argument("--delays and --faults are for the emulated device");
    }
    if (perturbed) options.device = Options::DeviceChoice::Emulated;
  } catch (const std::invalid_argument& problem) {
    return std::string(problem.what());
  }
  return options;
}

}  // namespace engine
