#include "bench/support/pages_command.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <optional>
#include <vector>

#include "bench/support/pages_cases.hpp"
#include "bench/support/pages_isolation.hpp"
#include "kvbm/cuda/device_probe.hpp"
#include "kvbm/device/cuda_device.hpp"
#include "kvbm/device/emulated_device.hpp"

namespace kvbm::bench {
namespace {

constexpr std::size_t kCudaMiB = 256;
constexpr std::size_t kEmulatedMiB = 8;

/// The command line, with what depends on the device filled in.
struct Written {
  std::string device = "auto";
  std::vector<std::string> cases;
  std::size_t mib = 0;  // 0: by device
  unsigned samples = 15;
  std::optional<bool> isolate;
  double limit_s = 20;
  double total_s = 95;
  std::optional<std::string> json;  // a file; empty: the output, in place of the table
};

void describe(CLI::App& app, Written& written, CLI::Option*& json, std::string& json_file) {
  std::vector<std::string> ids;
  for (const PagesCase& one : pages_cases()) ids.emplace_back(one.id);
  app.add_option("--device", written.device, "auto: a GPU if there is one, else the emulated device")
      ->check(CLI::IsMember({"auto", "cuda", "emulated"}))
      ->capture_default_str();
  app.add_option("--cases", written.cases, "Which, separated by commas; all unless given")
      ->delimiter(',')
      ->check(CLI::IsMember(ids));
  app.add_option("--bytes", written.mib,
                 fmt::format("MiB of the reference copy; {} on a GPU, {} emulated", kCudaMiB, kEmulatedMiB))
      ->check(CLI::Range(std::size_t{1}, std::size_t{8192}));
  app.add_option("--samples", written.samples, "Measurements of each case")
      ->check(CLI::Range(1u, 1000u))
      ->capture_default_str();
  app.add_flag("--isolate,!--no-isolate", written.isolate,
               "Runs each case in a process of its own; unless said, on a GPU only");
  app.add_option("--limit", written.limit_s, "Seconds that an isolated case may take")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  app.add_option("--total", written.total_s, "Seconds that all isolated cases may take")
      ->check(CLI::Range(0.01, 36'000.0))
      ->capture_default_str();
  json = app.add_option("--json", json_file, "An object a line: to that file beside the table, or alone to the output")
             ->expected(0, 1);
}

/// The device that the command line means, by its name there; tells `err` if it was not asked for by name.
/// Errors  std::runtime_error saying why there is none.
std::string device_of(const Written& written, std::ostream& err) {
  if (written.device == "emulated") return written.device;
  const DeviceProbe probe = probe_devices();
  if (!probe.devices.empty()) return "cuda";
  if (written.device == "cuda") throw std::runtime_error("no GPU: " + probe.problem);
  err << "kvbm-pages: no GPU: " << probe.problem << "; the emulated device takes its place\n";
  return "emulated";
}

std::shared_ptr<Device> open_device(const std::string& name) {
  if (name == "emulated") return EmulatedDevice::create();
  auto opened = open_cuda_device(0);
  if (!opened) throw std::runtime_error("no GPU: " + opened.error().reason);
  return *opened;
}

/// Runs the cases, tells of each row as it comes, and gathers them.
class Run {
 public:
  Run(const Written& written, std::string device, std::string program)
      : written_(written), device_name_(std::move(device)), program_(std::move(program)) {
    const std::size_t by_device = device_name_ == "cuda" ? kCudaMiB : kEmulatedMiB;
    mib_ = written.mib != 0 ? written.mib : by_device;
    isolated_ = written.isolate.value_or(device_name_ == "cuda");
  }

  /// `row_written` is given each line of JSON when it is there. Errors  std::runtime_error without a device.
  PagesReport operator()(const std::function<void(const std::string&)>& row_written) {
    std::shared_ptr<Device> device;
    if (!isolated_) device = open_device(device_name_);
    PagesReport all;
    for (const PagesCase& one : pages_cases()) {
      const auto& wanted = written_.cases;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), one.id) == wanted.end()) continue;
      PagesReport report = isolated_ ? in_process(one) : here(one, device, row_written);
      if (isolated_) {
        row_written(report.json());
      } else {
        row_written(PagesReport{.failures = report.failures}.json());
      }
      all.append(std::move(report));
    }
    return all;
  }

 private:
  PagesReport in_process(const PagesCase& one) const {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin_;
    const double left = std::min(written_.limit_s, written_.total_s - taken.count());
    const std::string id(one.id);
    if (left <= 0) return {.failures = {{id, fmt::format("not begun after {} s in all", written_.total_s)}}};
    return run_isolated({.id = id,
                         .program = program_,
                         .arguments = {"--device", device_name_, "--cases", id, "--bytes", std::to_string(mib_),
                                       "--samples", std::to_string(written_.samples), "--no-isolate", "--json"},
                         .limit = std::chrono::milliseconds(std::lround(left * 1000))});
  }
  PagesReport here(const PagesCase& one, const std::shared_ptr<Device>& device,
                   const std::function<void(const std::string&)>& row_written) const {
    return run_pages_case(one, device,
                          {.bytes = mib_ * kMiB,
                           .samples = written_.samples,
                           .row_added = [&](const PagesReport& report, const PagesRow& row) {
                             row_written(json_of(report, row) + '\n');
                           }});
  }

  const Written& written_;
  std::string device_name_;
  std::string program_;
  std::size_t mib_;
  bool isolated_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

int run(const Written& written, const PagesSurroundings& surroundings) {
  std::ofstream file;
  std::ostream* json = nullptr;
  if (written.json && written.json->empty()) {
    json = &surroundings.out;
  } else if (written.json) {
    file.open(*written.json);
    json = &file;
    if (!file) throw CLI::ValidationError("--json", *written.json + " cannot be written");
  }
  const std::string device = device_of(written, surroundings.err);
  const PagesReport report = Run(written, device, surroundings.program)([&](const std::string& lines) {
    if (json != nullptr) *json << lines << std::flush;
  });
  if (json != &surroundings.out) surroundings.out << report.table() << std::flush;
  for (const PagesFailure& failure : report.failures) {
    surroundings.err << "kvbm-pages: " << failure.id << ": " << failure.reason << '\n';
  }
  if (!surroundings.out || (json != nullptr && !*json)) {
    surroundings.err << "kvbm-pages: the results cannot be written\n";
    return 2;
  }
  return report.all_bytes_right() && report.failures.empty() ? 0 : 1;
}

}  // namespace

int pages_command(int argc, const char* const* argv, const PagesSurroundings& surroundings) {
  Written written;
  CLI::Option* json = nullptr;
  std::string json_file;
  CLI::App app("Measures how pages move, as ratios to plain copies in the same run, and verifies every byte.",
               "kvbm-pages");
  describe(app, written, json, json_file);
  try {
    app.parse(argc, argv);
    if (json->count() != 0) written.json = json_file;
    return run(written, surroundings);
  } catch (const CLI::ParseError& error) {
    return app.exit(error, surroundings.out, surroundings.err) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    surroundings.err << "kvbm-pages: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace kvbm::bench
