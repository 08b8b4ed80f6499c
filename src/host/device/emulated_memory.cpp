#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "device/emulated_core.hpp"
#include "device/peer_memory.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

constexpr int kUnwritten = 0xDE;  // what new memory holds, so that reading it before writing it shows
constexpr std::size_t kDeviceAlignment = 512;
constexpr std::size_t kPinnedAlignment = 4096;

std::string place(const void* memory, std::size_t bytes) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%p + %zu bytes", memory, bytes);
  return text.data();
}

void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
  if (bytes > SIZE_MAX - alignment) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

}  // namespace

std::uint64_t EmulatedCore::device_bytes() const noexcept {
  const MutexLock lock(mutex_);
  return memory_.device_bytes();
}

std::uint64_t EmulatedCore::pinned_bytes() const noexcept {
  const MutexLock lock(mutex_);
  return memory_.pinned_bytes();
}

void* EmulatedCore::allocate(std::size_t bytes) { return allocate(bytes, Kind::Device, kDeviceAlignment, "allocate"); }

void* EmulatedCore::allocate_pinned(std::size_t bytes, bool /*write_combined*/) {
  return allocate(bytes, Kind::Pinned, kPinnedAlignment, "allocate_pinned");
}

void* EmulatedCore::allocate(std::size_t bytes, Kind kind, std::size_t alignment, const char* name) {
  const std::uint64_t promised = kind == Kind::Device ? bytes : 0;
  {
    const MutexLock lock(mutex_);
    throw_if_broken();
    if (bytes == 0) throw DeviceError(DeviceError::Kind::Refused, std::string(name) + ": 0 bytes");
    count_immediate(FaultKind::Allocation, name);
    if (promised > capabilities_.memory_bytes - memory_.device_bytes() - bytes_promised_) {
      throw DeviceError(DeviceError::Kind::OutOfMemory,
                        std::string(name) + ": " + std::to_string(bytes) + " bytes, with " +
                            std::to_string(memory_.device_bytes() + bytes_promised_) + " of " +
                            std::to_string(capabilities_.memory_bytes) + " in use");
    }
    bytes_promised_ += promised;
  }
  void* const memory = allocate_aligned(bytes, alignment);
  if (memory != nullptr) std::memset(memory, kUnwritten, bytes);
  const MutexLock lock(mutex_);
  bytes_promised_ -= promised;
  if (memory == nullptr) {
    throw DeviceError(DeviceError::Kind::OutOfMemory, std::string(name) + ": the host has no memory left");
  }
  try {
    const bool added = memory_.add(memory, bytes, kind);
    KVBM_ASSERT(added, "memory registered here was freed without unregister_host");
    if (kind == Kind::Device) add_for_peers(memory, bytes);
  } catch (...) {
    std::free(memory);
    throw;
  }
  return memory;
}

void EmulatedCore::release(void* memory) noexcept { release(memory, Kind::Device); }
void EmulatedCore::release_pinned(void* memory) noexcept { release(memory, Kind::Pinned); }

void EmulatedCore::add_for_peers(const void* memory, std::size_t bytes) {
  try {
    PeerMemory::all().add(memory, bytes, is_broken_);
  } catch (...) {
    memory_.remove(*memory_.at(memory));
    throw;
  }
}

void EmulatedCore::release(void* memory, Kind kind) noexcept {
  bool peer_was_using_it = false;
  if (kind == Kind::Device) {
    {
      const MutexLock lock(mutex_);
      const LiveMemory::Range* const range = memory_.at(memory);
      KVBM_ASSERT(range != nullptr && range->kind == kind, "memory that this device did not allocate, or not so");
    }
    peer_was_using_it = PeerMemory::all().remove(memory);
  }
  {
    const MutexLock lock(mutex_);
    if (peer_was_using_it) break_device("memory was released while a copy of another device was running on it");
    LiveMemory::Range* const range = memory_.at(memory);
    KVBM_ASSERT(range != nullptr && range->kind == kind, "memory that this device did not allocate, or not so");
    remove_when_unused(*range);
  }
  std::free(memory);
}

void EmulatedCore::remove_when_unused(LiveMemory::Range& range) noexcept {
  if (range.users != 0) {
    break_device("memory was released while a copy was running on it: " +
                 place(reinterpret_cast<const void*>(range.begin), range.bytes));
    while (range.users != 0) changed_.wait(mutex_);
  }
  memory_.remove(range);
}

void EmulatedCore::register_host(void* memory, std::size_t bytes) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  if (!capabilities_.host_register) throw DeviceError(DeviceError::Kind::Refused, "register_host: not supported");
  if (memory == nullptr || bytes == 0) throw DeviceError(DeviceError::Kind::Refused, "register_host: no memory given");
  count_immediate(FaultKind::Allocation, "register_host");
  if (!memory_.add(memory, bytes, Kind::Registered)) {
    throw DeviceError(DeviceError::Kind::Refused,
                      "register_host: " + place(memory, bytes) + " overlaps memory that the device has already");
  }
}

bool EmulatedCore::unregister_host(void* memory) noexcept {
  const MutexLock lock(mutex_);
  LiveMemory::Range* const range = memory_.at(memory);
  if (range == nullptr || range->kind != Kind::Registered) return false;
  remove_when_unused(*range);
  return true;
}

void* EmulatedCore::device_address(void* pinned) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  const LiveMemory::Range* const range = memory_.holding(pinned, 1);
  if (range == nullptr || range->kind == Kind::Device) {
    throw DeviceError(DeviceError::Kind::Refused, "device_address: " + place(pinned, 1) + " is not pinned");
  }
  return pinned;
}

// ---- memory of copies ----

CopySide EmulatedCore::checked_side(const char* call, const char* side, const void* memory, std::size_t bytes,
                                    bool may_be_peers) {
  const auto refuse = [&](const char* why) {
    throw DeviceError(DeviceError::Kind::Refused,
                      std::string(call) + ": the " + side + " " + place(memory, bytes) + " is " + why);
  };
  if (const LiveMemory::Range* const range = memory_.holding(memory, bytes)) return {.id = range->id};
  const PeerMemory::Found found = may_be_peers ? PeerMemory::all().find(memory, bytes) : PeerMemory::Found();
  if (found.id == 0) refuse("not within one piece of device or pinned memory");
  if (found.broken) refuse("memory of another device, which is broken");
  return {.id = found.id, .on_peer = true};
}

CopyPiece EmulatedCore::checked_piece(const char* call, void* target, const void* source, std::size_t bytes) {
  return {.target = static_cast<std::byte*>(target),
          .source = static_cast<const std::byte*>(source),
          .bytes = bytes,
          .of_target = checked_side(call, "target", target, bytes),
          .of_source = checked_side(call, "source", source, bytes)};
}

bool EmulatedCore::hold(const void* memory, std::size_t bytes, CopySide& side) noexcept {
  if (memory == nullptr) return true;
  if (side.on_peer) return PeerMemory::all().hold(memory, side.id);
  LiveMemory::Range* const range = memory_.holding(memory, bytes);
  if (range == nullptr || range->id != side.id) return false;
  side.range = range;
  ++range->users;
  return true;
}

void EmulatedCore::let_go(const void* memory, CopySide& side) noexcept {
  if (memory == nullptr) return;
  if (side.on_peer) return PeerMemory::all().let_go(memory);
  --side.range->users;
}

bool EmulatedCore::hold_memory(Operation& operation) {
  const std::span<CopyPiece> pieces = operation.pieces;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CopyPiece& piece = pieces[i];
    const bool target_is_there = hold(piece.target, piece.bytes, piece.of_target);
    if (target_is_there && hold(piece.source, piece.bytes, piece.of_source)) continue;
    if (target_is_there) let_go(piece.target, piece.of_target);
    let_go_of_memory(pieces.first(i));
    const CopySide& gone = target_is_there ? piece.of_source : piece.of_target;
    break_device(std::string("the ") + (target_is_there ? "source" : "target") + " of a copy was released" +
                 (gone.on_peer ? ", or its device broke," : "") +
                 " before the copy ran: " + place(target_is_there ? piece.source : piece.target, piece.bytes));
    return false;
  }
  return true;
}

void EmulatedCore::let_go_of_memory(std::span<CopyPiece> pieces) noexcept {
  for (CopyPiece& piece : pieces) {
    let_go(piece.target, piece.of_target);
    let_go(piece.source, piece.of_source);
  }
}

}  // namespace kvbm
